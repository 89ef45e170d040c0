#!/bin/sh
# Run once by the Postgres image, when its data folder is empty: the login of scheduler, worker and API. It is a member
# of the application's role and of nothing else; the migrations find the role made.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$KEYFERRY_DATABASE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE keyferry_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE keyferry LOGIN PASSWORD :'password' IN ROLE keyferry_app;
SQL
