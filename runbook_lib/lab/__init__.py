"""What is outside, in one process: AWS, GitLab, Slack, the edge, the web front."""
