output "rule_ids" {
  description = "AWS's id of each rule, by the rule's key."
  value = merge(
    { for key, rule in aws_vpc_security_group_ingress_rule.rule : key => rule.security_group_rule_id },
    { for key, rule in aws_vpc_security_group_egress_rule.rule : key => rule.security_group_rule_id },
  )
}
