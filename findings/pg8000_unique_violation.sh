#!/usr/bin/env bash
# pg8000 1.31.6: a row that breaks a UNIQUE constraint raises pg8000.dbapi.DatabaseError, never IntegrityError, which the
# DB-API (PEP 249) wants and which pg8000.dbapi defines. SQLAlchemy wraps by class, so `except sqlalchemy.exc.IntegrityError`
# around an insert catches nothing there, though it does with psycopg and with SQLite. What tells is the SQLSTATE, 23505,
# under "C" of the first argument. Needs PostgreSQL's server (apt-get install postgresql). Seen 2026-11-30 on CPython 3.11.
# Passed by in qbase/lake/ledger/shared_engine.py (`state_of`).
set -euo pipefail
initdb="$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1 || true)"
[ -n "$initdb" ] || { echo "needs the server of PostgreSQL (apt-get install postgresql)"; exit 1; }
folder="$(mktemp -d /tmp/pg8000-XXXXXX)"
own=()
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; own=(setpriv --reuid=postgres --regid=postgres --clear-groups --); fi
stop() { "${own[@]}" "$(dirname "$initdb")/pg_ctl" -D "$folder/data" -m immediate stop >"$folder/stop.log" 2>&1 || true; rm -rf "$folder"; }
trap stop EXIT
cd "$folder"
"${own[@]}" "$initdb" -D "$folder/data" -U postgres -A trust --no-sync --no-instructions >/dev/null
"${own[@]}" "$(dirname "$initdb")/pg_ctl" -D "$folder/data" -w -l "$folder/data/log" \
  -o "-c listen_addresses= -c fsync=off -c unix_socket_directories=$folder" start >/dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pg8000==1.31.6 sqlalchemy==2.1.9
cat > "$folder/try.py" <<'PY'
import sys

import pg8000.dbapi
import sqlalchemy as sa

where = {"user": "postgres", "database": "postgres", "unix_sock": f"{sys.argv[1]}/.s.PGSQL.5432", "ssl_context": False}
connection = pg8000.dbapi.connect(**where)
cursor = connection.cursor()
cursor.execute("CREATE TABLE t (a int UNIQUE)")
cursor.execute("INSERT INTO t VALUES (1)")
connection.commit()
try:
    cursor.execute("INSERT INTO t VALUES (1)")
except pg8000.dbapi.Error as error:
    print(type(error).__name__, isinstance(error, pg8000.dbapi.IntegrityError), error.args[0]["C"])
connection.rollback()
engine = sa.create_engine("postgresql+pg8000://", creator=lambda: pg8000.dbapi.connect(**where))
for name, words in (("pg8000", engine), ("sqlite", sa.create_engine("sqlite://"))):
    table = sa.Table("u", sa.MetaData(), sa.Column("a", sa.Integer, unique=True))
    try:
        with words.begin() as begun:
            table.create(begun)
            begun.execute(table.insert().values(a=1))
            begun.execute(table.insert().values(a=1))
    except sa.exc.DBAPIError as error:
        print(name, type(error).__name__)
PY
seen="$("$folder/venv/bin/python" "$folder/try.py" "$folder")"
echo "$seen"
[ "$seen" = "$(printf 'DatabaseError False 23505\npg8000 DatabaseError\nsqlite IntegrityError')" ] \
  || { echo "changed: pg8000 tells a broken constraint by another class"; exit 1; }
echo "as seen on 2026-11-30"
