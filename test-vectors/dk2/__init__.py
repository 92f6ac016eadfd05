"""The protocol of docs/protocol.md, written from that page alone with Python's `cryptography`."""
