#!/usr/bin/env bash
# What some tests need and pip cannot bring: two browsers, a clock that can be set (faketime), PostgreSQL, which the tests
# start themselves in a temporary folder, and the example data of R's package survey (under the GPL, so they are not part
# of this repository; 230 kB of one Debian package, R itself is not installed).
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
survey="${QBASE_SURVEY_DATA:-}"

has_browser() { command -v chromium >/dev/null 2>&1; }
has_firefox() { command -v firefox-esr >/dev/null 2>&1 || command -v firefox >/dev/null 2>&1; }
has_postgres() { command -v initdb >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_clock() { command -v faketime >/dev/null 2>&1; }
has_survey() { [ -z "$survey" ] || [ -f "$survey/api.rda" ]; }

if has_browser && has_firefox && has_clock && has_postgres && has_survey; then
  exit 0
fi
apt-get update -qq
has_clock || apt-get install -y -qq --no-install-recommends faketime
has_browser || apt-get install -y -qq --no-install-recommends chromium
has_firefox || apt-get install -y -qq --no-install-recommends firefox-esr
if ! has_postgres; then
  # the package would make a cluster of its own and start it
  mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  apt-get install -y -qq --no-install-recommends postgresql
fi
if ! has_survey; then
  mkdir -p "$survey"
  cd "$survey"
  apt-get -qq -o APT::Sandbox::User=root download r-cran-survey
  dpkg-deb --fsys-tarfile r-cran-survey_*.deb \
    | tar -x --strip-components=7 ./usr/lib/R/site-library/survey/data/api.rda
  rm -f r-cran-survey_*.deb
fi
