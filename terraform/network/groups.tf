# The groups are empty here. Their rules are the access stack's, which finds the groups by their Project and Role tags.

resource "aws_security_group" "admin" {
  name        = "${var.project}-admin"
  description = "Administration of every instance"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.project}-admin", Role = "admin" }
}

resource "aws_security_group" "web" {
  name        = "${var.project}-web"
  description = "Visitors of the web front"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.project}-web", Role = "web" }
}

resource "aws_security_group" "front_to_back" {
  name        = "${var.project}-front-to-back"
  description = "The web front talking to the application"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.project}-front-to-back", Role = "front_to_back" }
}
