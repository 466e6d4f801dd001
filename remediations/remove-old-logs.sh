#!/bin/sh
# Deletes rotated logs (*.gz, *.old, *.log.1 …) below a folder that are older than some days. Live logs stay.
# Usage: remove-old-logs.sh FOLDER DAYS
set -eu

folder=${1:?"folder is missing"}
days=${2:?"number of days is missing"}

case $days in
  '' | *[!0-9]*) echo "not a number of days: $days" >&2; exit 2 ;;
esac
case $folder in
  /*) folder=$(cd -P -- "$folder" && pwd) ;;
  *) echo "not an absolute path: $folder" >&2; exit 2 ;;
esac
# A wide target never means "everything": not of the system, and where data lives only what is called a log.
case $folder/ in
  //* | /bin/* | /boot/* | /dev/* | /etc/* | /lib/* | /lib32/* | /lib64/* | /proc/* | /sbin/* | /sys/* | /usr/*)
    echo "refused: $folder" >&2; exit 2 ;;
  */log/* | */logs/*) ;;
  /home/* | /opt/* | /root/* | /run/* | /srv/* | /var/*)
    echo "refused: $folder: no part of this path is called log or logs" >&2; exit 2 ;;
esac

find "$folder" -xdev -type f -mtime "+$days" \
  \( -name '*.gz' -o -name '*.xz' -o -name '*.zst' -o -name '*.old' -o -name '*.log.[0-9]*' \) -print -delete
