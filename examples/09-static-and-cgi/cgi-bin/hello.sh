#!/bin/sh
printf 'Content-Type: text/plain\n\nHello from process %s.\n' "$$"
