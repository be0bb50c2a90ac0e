# The groups are found by what they are called, not through the network stack's state: reading that state would need its
# credentials in a data source, and with it in every plan file.

data "aws_vpc" "main" {
  tags = { Project = var.project, Stack = "network" }
}

data "aws_security_group" "group" {
  for_each = toset(["admin", "web", "front_to_back"])

  vpc_id = data.aws_vpc.main.id
  tags   = { Project = var.project, Role = each.key }
}

locals {
  # The key says the whole rule but its description, so the order of the list means nothing and no rule is there twice.
  rules = {
    for r in var.rules : join(" ", compact([
      r.group,
      r.direction == "egress" ? "to" : "from",
      r.cidr_ipv4,
      r.cidr_ipv6,
      r.source_group,
      r.prefix_list,
      r.protocol == "-1" ? "all" : r.protocol,
      r.from_port == null ? "" : r.from_port == r.to_port ? "${r.from_port}" : "${r.from_port}-${r.to_port}",
    ])) => r
  }

  # The first moment at which a rule may stand no more: a day counts to its end in UTC.
  ends = {
    for key, r in local.rules : key => (
      r.expires == null ? null : length(r.expires) == 10 ? timeadd("${r.expires}T00:00:00Z", "24h") : r.expires
    )
  }

  # From then on the plan has it no more. The plan's own time decides, so what is applied is what was planned.
  standing = {
    for key, r in local.rules : key => r if local.ends[key] == null ? true : timecmp(plantimestamp(), local.ends[key]) < 0
  }
}

resource "aws_vpc_security_group_ingress_rule" "rule" {
  for_each = { for key, r in local.standing : key => r if r.direction == "ingress" }

  security_group_id            = data.aws_security_group.group[each.value.group].id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from_port
  to_port                      = each.value.to_port
  cidr_ipv4                    = each.value.cidr_ipv4
  cidr_ipv6                    = each.value.cidr_ipv6
  referenced_security_group_id = each.value.source_group == null ? null : data.aws_security_group.group[each.value.source_group].id
  prefix_list_id               = each.value.prefix_list
  description                  = each.value.description

  # The tag is what others know a rule's end by: policies, whoever looks at AWS, the next run.
  tags = { for name, value in { Name = each.key, expires = each.value.expires } : name => value if value != null }
}

resource "aws_vpc_security_group_egress_rule" "rule" {
  for_each = { for key, r in local.standing : key => r if r.direction == "egress" }

  security_group_id            = data.aws_security_group.group[each.value.group].id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from_port
  to_port                      = each.value.to_port
  cidr_ipv4                    = each.value.cidr_ipv4
  cidr_ipv6                    = each.value.cidr_ipv6
  referenced_security_group_id = each.value.source_group == null ? null : data.aws_security_group.group[each.value.source_group].id
  prefix_list_id               = each.value.prefix_list
  description                  = each.value.description

  tags = { for name, value in { Name = each.key, expires = each.value.expires } : name => value if value != null }
}
