#!/bin/sh
# What a program is told about its request (RFC 3875, section 4.1).
printf 'Content-Type: text/plain\n\n'
env | sort
