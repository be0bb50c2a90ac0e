variable "project" {
  description = "Prefix of every name, and the Project tag by which the access stack finds the groups."
  type        = string
  default     = "network-access"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 22 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "vpc_cidr" {
  description = "Network of the VPC. The front subnet is its first 256th, the back subnet its second."
  type        = string
  default     = "10.30.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/(1[6-9]|20)$", var.vpc_cidr))
    error_message = "vpc_cidr must be an IPv4 network from /16 to /20, such as 10.30.0.0/16."
  }
}

variable "instance_type" {
  description = "Type of both instances."
  type        = string
  default     = "t3.micro"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "instance_type must look like t3.micro."
  }
}

variable "ami_id" {
  description = "Image of both instances. Empty: the newest Amazon Linux 2023 for x86_64 on the day they are created."
  type        = string
  default     = ""

  validation {
    condition     = var.ami_id == "" || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id must be empty or look like ami-0123456789abcdef0."
  }
}

variable "app_port" {
  description = "TCP port on which the back instance serves the front."
  type        = number
  default     = 8080

  validation {
    condition     = var.app_port == floor(var.app_port) && var.app_port >= 1024 && var.app_port <= 65535
    error_message = "app_port must be a whole number from 1024 to 65535: the service does not run as root."
  }
}
