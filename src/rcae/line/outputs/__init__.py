"""Outputs of inspections: MQTT and webhooks, with the record as their outbox."""
