"""What tells others of inspections: MQTT and webhooks, fed from the record, which is their outbox."""
