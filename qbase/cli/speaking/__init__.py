"""Options, language and results in; lines on stdout and stderr out."""
