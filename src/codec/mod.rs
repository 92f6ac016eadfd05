//! Strict, bounded encodings without recursion: JSON, base64, SPKI DER, RFC 3339 time.
