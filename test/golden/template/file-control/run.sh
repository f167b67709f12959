#!/bin/sh
printf "a	b"
