# `terraform test`: no credentials, no AWS. The provider is a mock, so these runs judge the variable and the keys.

mock_provider "aws" {
  mock_data "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0" }
  }
  mock_data "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
}

run "the_order_of_the_list_means_nothing" {
  command = plan

  variables {
    rules = [
      { group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "Visitors" },
      { group = "admin", protocol = "tcp", from_port = 22, to_port = 22, cidr_ipv6 = "2001:db8::/32", description = "Office" },
      { group = "web", direction = "egress", protocol = "-1", source_group = "front_to_back", description = "Inwards" },
    ]
  }

  assert {
    condition = keys(aws_vpc_security_group_ingress_rule.rule) == [
      "admin from 2001:db8::/32 tcp 22", "web from 0.0.0.0/0 tcp 80",
    ]
    error_message = "The key of an ingress rule is its content."
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.rule) == ["web to front_to_back all"]
    error_message = "The key of an egress rule is its content."
  }
}

run "a_range_shows_both_ports" {
  command = plan

  variables {
    rules = [{ group = "admin", protocol = "udp", from_port = 60000, to_port = 61000, prefix_list = "pl-0123456789abcdef0", description = "mosh" }]
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.rule) == ["admin from pl-0123456789abcdef0 udp 60000-61000"]
    error_message = "A range is part of the key."
  }
}

run "no_rules_at_all_is_a_valid_list" {
  command = plan

  variables {
    rules = []
  }
}

run "the_same_rule_twice_is_refused_even_with_another_description" {
  command = plan

  variables {
    rules = [
      { group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "Visitors" },
      { group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "Others" },
    ]
  }

  expect_failures = [var.rules]
}

run "an_unknown_group_is_refused" {
  command = plan

  variables {
    rules = [{ group = "wbe", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "an_unknown_source_group_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, source_group = "wbe", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "an_unknown_direction_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", direction = "in", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "a_rule_without_another_end_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, description = "x" }]
  }

  expect_failures = [var.rules]
}

run "a_rule_with_two_other_ends_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", source_group = "admin", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "host_bits_in_a_network_are_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "198.51.100.7/24", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "an_ipv6_network_in_the_ipv4_field_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "::/0", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "an_ipv6_network_in_its_long_form_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv6 = "2001:0db8::/32", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "tcp_without_ports_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", cidr_ipv4 = "0.0.0.0/0", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "ports_the_wrong_way_round_are_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 443, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "a_port_above_65535_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80000, cidr_ipv4 = "0.0.0.0/0", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "all_protocols_with_ports_are_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "-1", from_port = 0, to_port = 0, cidr_ipv4 = "10.0.0.0/8", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "a_number_for_a_protocol_that_has_a_name_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "6", cidr_ipv4 = "10.0.0.0/8", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "a_prefix_list_by_name_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, prefix_list = "cloudfront", description = "x" }]
  }

  expect_failures = [var.rules]
}

run "a_blank_description_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "0.0.0.0/0", description = " " }]
  }

  expect_failures = [var.rules]
}

run "a_rule_stands_until_its_end_and_its_tag_says_until_when" {
  command = plan

  variables {
    rules = [
      { group = "admin", protocol = "tcp", from_port = 22, to_port = 22, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = "9990-12-31" },
      { group = "admin", protocol = "tcp", from_port = 23, to_port = 23, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = "9990-12-31T18:00:00+01:00" },
      { group = "admin", protocol = "tcp", from_port = 24, to_port = 24, cidr_ipv4 = "10.20.0.0/16", description = "x" },
      { group = "admin", protocol = "tcp", from_port = 25, to_port = 25, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = "2020-12-31" },
      { group = "admin", protocol = "tcp", from_port = 26, to_port = 26, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = "2020-12-31T18:00:00.5Z" },
      { group = "web", direction = "egress", protocol = "tcp", from_port = 443, to_port = 443, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = "2020-12-31" },
    ]
  }

  assert {
    condition = { for key, rule in aws_vpc_security_group_ingress_rule.rule : key => lookup(rule.tags, "expires", "never") } == {
      "admin from 10.20.0.0/16 tcp 22" = "9990-12-31"
      "admin from 10.20.0.0/16 tcp 23" = "9990-12-31T18:00:00+01:00"
      "admin from 10.20.0.0/16 tcp 24" = "never"
    }
    error_message = "What has ended is planned no more, and the tag says what ends."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.rule) == 0
    error_message = "An egress rule ends as well."
  }
}

run "a_day_counts_to_its_end" {
  command = plan

  variables {
    rules = [
      { group = "admin", protocol = "tcp", from_port = 22, to_port = 22, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = formatdate("YYYY-MM-DD", timestamp()) },
      { group = "admin", protocol = "tcp", from_port = 23, to_port = 23, cidr_ipv4 = "10.20.0.0/16", description = "x", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "-24h")) },
    ]
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.rule) == ["admin from 10.20.0.0/16 tcp 22"]
    error_message = "Today's rule stands, yesterday's does not."
  }
}

run "an_end_that_is_no_day_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "10.0.0.0/8", description = "x", expires = "31.12.2026" }]
  }

  expect_failures = [var.rules]
}

run "an_end_that_the_calendar_does_not_have_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "10.0.0.0/8", description = "x", expires = "2026-02-30" }]
  }

  expect_failures = [var.rules]
}

run "a_moment_without_its_zone_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "10.0.0.0/8", description = "x", expires = "2026-12-31T18:00:00" }]
  }

  expect_failures = [var.rules]
}

run "an_empty_end_is_refused" {
  command = plan

  variables {
    rules = [{ group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "10.0.0.0/8", description = "x", expires = "" }]
  }

  expect_failures = [var.rules]
}

run "the_same_rule_twice_is_refused_even_with_another_end" {
  command = plan

  variables {
    rules = [
      { group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "10.0.0.0/8", description = "x", expires = "9990-12-31" },
      { group = "web", protocol = "tcp", from_port = 80, to_port = 80, cidr_ipv4 = "10.0.0.0/8", description = "x" },
    ]
  }

  expect_failures = [var.rules]
}
