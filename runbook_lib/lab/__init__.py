"""The embedded outside world: AWS, GitLab, Slack, the edge, the web front."""
