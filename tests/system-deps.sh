#!/usr/bin/env bash
# What some tests need and pip cannot bring: a browser, a clock that can be set (faketime), and the example data of R's
# package survey (under the GPL, so they are not part of this repository; 230 kB of one Debian package, R itself is not
# installed).
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
survey="${QBASE_SURVEY_DATA:-}"

has_browser() { command -v chromium >/dev/null 2>&1; }
has_clock() { command -v faketime >/dev/null 2>&1; }
has_survey() { [ -z "$survey" ] || [ -f "$survey/api.rda" ]; }

if has_browser && has_clock && has_survey; then
  exit 0
fi
apt-get update -qq
has_clock || apt-get install -y -qq --no-install-recommends faketime
has_browser || apt-get install -y -qq --no-install-recommends chromium
if ! has_survey; then
  mkdir -p "$survey"
  cd "$survey"
  apt-get -qq -o APT::Sandbox::User=root download r-cran-survey
  dpkg-deb --fsys-tarfile r-cran-survey_*.deb \
    | tar -x --strip-components=7 ./usr/lib/R/site-library/survey/data/api.rda
  rm -f r-cran-survey_*.deb
fi
