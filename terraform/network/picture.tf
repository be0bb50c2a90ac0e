locals {
  picture_key = "picture.png"
  picture_url = "https://${aws_s3_bucket.picture.bucket_regional_domain_name}/${local.picture_key}"
}

resource "aws_s3_bucket" "picture" {
  bucket_prefix = "${var.project}-picture-"
  force_destroy = true

  tags = { Name = "${var.project}-picture" }
}

# All four hold together with the policy below: S3 does not call a policy public that is bound to a fixed address.
resource "aws_s3_bucket_public_access_block" "picture" {
  bucket = aws_s3_bucket.picture.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "picture" {
  bucket = aws_s3_bucket.picture.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_object" "picture" {
  bucket       = aws_s3_bucket.picture.id
  key          = local.picture_key
  source       = "${path.module}/picture.png"
  source_hash  = filemd5("${path.module}/picture.png")
  content_type = "image/png"
}

data "aws_iam_policy_document" "picture" {
  statement {
    sid       = "OnlyTheFrontReadsThePicture"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.picture.arn}/${local.picture_key}"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "IpAddress"
      variable = "aws:SourceIp"
      values   = ["${aws_eip.front.public_ip}/32"]
    }
  }
}

resource "aws_s3_bucket_policy" "picture" {
  bucket = aws_s3_bucket.picture.id
  policy = data.aws_iam_policy_document.picture.json

  depends_on = [aws_s3_bucket_public_access_block.picture]
}
