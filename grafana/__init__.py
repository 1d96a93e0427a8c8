"""Grafana: provisioned data sources and the live dashboard, as code."""
