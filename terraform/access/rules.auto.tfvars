# Who may reach what. This is the file that a requester edits; variables.tf says what the fields mean. SSH and the like are
# opened for a time: with expires.

rules = [
  {
    group       = "web"
    protocol    = "tcp"
    from_port   = 8000
    to_port     = 8000
    cidr_ipv4   = "0.0.0.0/0"
    description = "Visitors of the web front"
  },
  {
    group        = "front_to_back"
    protocol     = "tcp"
    from_port    = 8080
    to_port      = 8080
    source_group = "web"
    description  = "The web front calls the application"
  },
  {
    group        = "web"
    direction    = "egress"
    protocol     = "tcp"
    from_port    = 8080
    to_port      = 8080
    source_group = "front_to_back"
    description  = "The web front calls the application"
  },
  {
    group       = "web"
    direction   = "egress"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_ipv4   = "0.0.0.0/0"
    description = "The picture in S3, and packages"
  },
]
