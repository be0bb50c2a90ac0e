output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.main.id
}

output "front_public_ip" {
  description = "Public address of the web front."
  value       = aws_eip.front.public_ip
}

output "front_instance_id" {
  description = "Instance of the web front."
  value       = aws_instance.web_front.id
}

output "back_instance_id" {
  description = "Instance of the application."
  value       = aws_instance.app_back.id
}

output "back_private_ip" {
  description = "Address of the application inside the VPC."
  value       = aws_instance.app_back.private_ip
}

output "admin_group_id" {
  description = "Group for the administration of every instance."
  value       = aws_security_group.admin.id
}

output "web_group_id" {
  description = "Group for the visitors of the web front; the service tests test its members."
  value       = aws_security_group.web.id
}

output "front_to_back_group_id" {
  description = "Group for the front talking to the application."
  value       = aws_security_group.front_to_back.id
}

output "bucket" {
  description = "Bucket of the picture."
  value       = aws_s3_bucket.picture.bucket
}

output "picture_url" {
  description = "Where the front, and only the front, reads the picture."
  value       = local.picture_url
}
