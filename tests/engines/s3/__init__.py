"""A real S3 API server on loopback, and a proxy before it that breaks requests as networks and services do."""
