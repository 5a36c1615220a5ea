#!/bin/sh
# Debian's Chromium and a font, for the tests of the dashboard in a real browser.
set -e
command -v chromium > /dev/null && exit 0
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
