data "aws_ssm_parameter" "ami" {
  count = var.ami_id == "" ? 1 : 0
  name  = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

locals {
  ami_id = var.ami_id != "" ? var.ami_id : nonsensitive(data.aws_ssm_parameter.ami[0].value)
}

resource "aws_instance" "web_front" {
  ami                    = local.ami_id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.front.id
  vpc_security_group_ids = [aws_security_group.admin.id, aws_security_group.web.id]

  user_data = templatefile("${path.module}/web_front.yaml.tftpl", {
    app         = base64encode(file("${path.module}/web_front.py"))
    picture_url = local.picture_url
  })
  user_data_replace_on_change = true

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = 10
  }

  tags = { Name = "${var.project}-web-front" }

  lifecycle {
    ignore_changes = [ami] # a newer image must not replace a running instance
  }
}

resource "aws_instance" "app_back" {
  ami                    = local.ami_id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.back.id
  vpc_security_group_ids = [aws_security_group.admin.id, aws_security_group.front_to_back.id]

  user_data                   = templatefile("${path.module}/app_back.yaml.tftpl", { port = var.app_port })
  user_data_replace_on_change = true

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = 10
  }

  tags = { Name = "${var.project}-app-back" }

  lifecycle {
    ignore_changes = [ami]
  }
}

resource "aws_eip" "front" {
  domain = "vpc"

  tags = { Name = "${var.project}-web-front" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_eip_association" "front" {
  allocation_id = aws_eip.front.allocation_id
  instance_id   = aws_instance.web_front.id
}
