"""LessWrong, Alignment Forum and EA Forum."""
