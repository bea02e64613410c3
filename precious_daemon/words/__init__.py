"""What a person reads, in their language: catalogues, and pages and mails made of them."""
