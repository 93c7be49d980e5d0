#!/bin/sh
# The body of the request is the standard input, CONTENT_LENGTH bytes of it.
words=$(head -c "${CONTENT_LENGTH:-0}" | tr '+&=' '   ' | wc -w)
printf 'Content-Type: text/plain\n\n%s words\n' "$((words - 1))"
