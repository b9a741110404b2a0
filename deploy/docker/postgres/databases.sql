-- One database and one role for each service that keeps tables; run once, when the volume is empty.
-- psql reads the passwords from the secrets, so they show in no list of processes.
\set airflow_password `cat /run/secrets/airflow_database_password`
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;

\set celery_password `cat /run/secrets/celery_database_password`
CREATE ROLE celery LOGIN PASSWORD :'celery_password';
CREATE DATABASE celery OWNER celery;
REVOKE CONNECT ON DATABASE celery FROM PUBLIC;

\set mlflow_password `cat /run/secrets/mlflow_database_password`
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT ON DATABASE mlflow FROM PUBLIC;

\set mlmd_password `cat /run/secrets/mlmd_database_password`
CREATE ROLE mlmd LOGIN PASSWORD :'mlmd_password';
CREATE DATABASE mlmd OWNER mlmd;
REVOKE CONNECT ON DATABASE mlmd FROM PUBLIC;
