terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Address and credentials come from TF_HTTP_* in the environment and from nowhere else: whatever is configured here,
  # or given with -backend-config, is written into every plan file.
  backend "http" {}
}

# The region and the credentials are the environment's (AWS_REGION, a profile, or the job's OIDC role).
provider "aws" {
  default_tags {
    tags = {
      Project   = var.project
      Stack     = "network"
      ManagedBy = "terraform"
    }
  }
}
