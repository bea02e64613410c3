"""The life of the service on this machine: started, watching, on schedule, spoken to, looked at by a doctor."""
