"""The thirteen musical attributes: predicted and measured values, fields, JSON schema, genres."""
