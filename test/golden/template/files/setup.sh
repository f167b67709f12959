#!/bin/sh
echo "{{.User}}: \$HOME"

	echo tab
