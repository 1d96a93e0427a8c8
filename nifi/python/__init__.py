"""What runs in NiFi's own Python: the processors, each a module that NiFi finds, and what they share."""
