"""Checks what the pipeline stands on: this machine, or the AWS account and the stack."""
