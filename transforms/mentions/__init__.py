"""How mentions of works, labs, people and topics are recognised in texts; what SQL cannot compute itself."""
