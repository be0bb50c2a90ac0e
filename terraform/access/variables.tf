variable "project" {
  description = "The Project tag of the groups, as in the network stack."
  type        = string
  default     = "network-access"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 22 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "rules" {
  description = <<-EOT
    Who may reach what. Edit rules.auto.tfvars, in any order.

    group        the group that gets the rule: admin, web or front_to_back
    direction    ingress (default) or egress
    protocol     tcp, udp, icmp, icmpv6, a protocol number, or -1 for all
    from_port    first port, or ICMP type; absent if the protocol has none
    to_port      last port, or ICMP code; absent if the protocol has none
    description  why the rule exists; AWS shows it beside the rule
    expires      until when it may stand: a day, to its end in UTC (2026-12-31), or an RFC 3339 moment
                 (2026-12-31T18:00:00Z); absent if it stands for good

    And the other end, exactly one of:

    cidr_ipv4    a network such as 198.51.100.0/24
    cidr_ipv6    a network such as 2001:db8::/32
    source_group another of the three groups
    prefix_list  the id of a prefix list, pl-…
  EOT

  type = list(object({
    group        = string
    direction    = optional(string, "ingress")
    protocol     = string
    from_port    = optional(number)
    to_port      = optional(number)
    cidr_ipv4    = optional(string)
    cidr_ipv6    = optional(string)
    source_group = optional(string)
    prefix_list  = optional(string)
    description  = string
    expires      = optional(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for r in var.rules : contains(["admin", "web", "front_to_back"], r.group)])
    error_message = "group must be admin, web or front_to_back."
  }

  validation {
    condition     = alltrue([for r in var.rules : contains(["ingress", "egress"], r.direction)])
    error_message = "direction must be ingress or egress."
  }

  validation {
    condition = alltrue([
      for r in var.rules : can(regex("^(tcp|udp|icmp|icmpv6|-1|[0-9]{1,3})$", r.protocol)) && try(tonumber(r.protocol), 0) <= 255
    ])
    error_message = "protocol must be tcp, udp, icmp, icmpv6, a number up to 255, or -1 for all."
  }

  validation {
    condition     = alltrue([for r in var.rules : !contains(["6", "17", "1", "58"], r.protocol)])
    error_message = "Write tcp, udp, icmp and icmpv6 by name, not as 6, 17, 1 and 58: AWS gives the names back."
  }

  validation {
    condition = alltrue([
      for r in var.rules : contains(["tcp", "udp", "icmp", "icmpv6"], r.protocol) == (r.from_port != null && r.to_port != null)
      && (r.from_port == null) == (r.to_port == null)
    ])
    error_message = "tcp, udp, icmp and icmpv6 need both from_port and to_port; other protocols take neither."
  }

  validation {
    condition = alltrue([
      for r in var.rules : try(
        r.from_port == floor(r.from_port) && r.to_port == floor(r.to_port) && r.from_port >= 0 && r.from_port <= r.to_port && r.to_port <= 65535,
        false
      ) if contains(["tcp", "udp"], r.protocol)
    ])
    error_message = "Ports must be whole numbers from 0 to 65535, and from_port no higher than to_port."
  }

  validation {
    condition = alltrue([
      for r in var.rules : length([for end in [r.cidr_ipv4, r.cidr_ipv6, r.source_group, r.prefix_list] : end if end != null]) == 1
    ])
    error_message = "A rule needs exactly one of cidr_ipv4, cidr_ipv6, source_group and prefix_list."
  }

  validation {
    condition = alltrue([
      for r in var.rules : can(regex("^[0-9.]+/", r.cidr_ipv4)) && try(cidrsubnet(r.cidr_ipv4, 0, 0) == r.cidr_ipv4, false)
      if r.cidr_ipv4 != null
    ])
    error_message = "cidr_ipv4 must be a network with its host bits zero, such as 198.51.100.0/24."
  }

  validation {
    condition = alltrue([
      for r in var.rules : can(regex(":", r.cidr_ipv6)) && try(cidrsubnet(r.cidr_ipv6, 0, 0) == r.cidr_ipv6, false)
      if r.cidr_ipv6 != null
    ])
    error_message = "cidr_ipv6 must be a network in its short form with its host bits zero, such as 2001:db8::/32."
  }

  validation {
    condition     = alltrue([for r in var.rules : contains(["admin", "web", "front_to_back"], r.source_group) if r.source_group != null])
    error_message = "source_group must be admin, web or front_to_back."
  }

  validation {
    condition     = alltrue([for r in var.rules : can(regex("^pl-[0-9a-f]{8,17}$", r.prefix_list)) if r.prefix_list != null])
    error_message = "prefix_list must be an id such as pl-0123456789abcdef0."
  }

  validation {
    condition     = alltrue([for r in var.rules : can(regex("^[a-zA-Z0-9 ._:/()#,@\\[\\]+=&;{}!$*-]{1,255}$", r.description)) && trimspace(r.description) != ""])
    error_message = "description must say why, in 1 to 255 of the characters AWS takes: letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*."
  }

  validation {
    condition = alltrue([
      for r in var.rules : can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$", r.expires))
      && can(timecmp(timeadd(length(r.expires) == 10 ? "${r.expires}T00:00:00Z" : r.expires, "24h"), "2000-01-01T00:00:00Z"))
      if r.expires != null
    ])
    error_message = format(
      "expires must be a day such as 2026-12-31, or an RFC 3339 moment such as 2026-12-31T18:00:00Z: %s.",
      join(", ", [
        for r in var.rules : format("%s, %s %s: %q", r.group, r.protocol, r.description, r.expires)
        if r.expires != null
        && !can(timecmp(timeadd(try(length(r.expires), 0) == 10 ? "${r.expires}T00:00:00Z" : r.expires, "24h"), "2000-01-01T00:00:00Z"))
      ])
    )
  }

  validation {
    condition     = length(var.rules) == length(distinct([for r in var.rules : merge(r, { description = "", expires = null })]))
    error_message = "The same rule is listed twice (a different description does not make it another rule)."
  }
}
