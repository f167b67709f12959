# Commands given to ssh don't read /etc/profile; they need the environment, too.
. /usr/lib/mini/environment
