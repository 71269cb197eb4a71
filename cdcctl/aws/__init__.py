"""The only door to AWS: one module a service, and one place where AWS's errors become ours."""
