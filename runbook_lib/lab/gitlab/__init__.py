"""A GitLab that answers as python-gitlab, Terraform and the runners call it."""
