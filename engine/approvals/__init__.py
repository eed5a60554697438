"""What waits for a person: approval requests and questions, from frozen to decided."""
