"""Enqueues a job in the transaction that makes the order: there is never one without the other.

`compline.enqueue(kind, args, options)` is an ordinary SQL function. Whatever happens before the commit, a crash of this
program or a rollback, takes the job with it; after the commit workers know of it at once.
"""

import json
import os

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection


def enqueue(connection: Connection, kind: str, args: dict, **options: object) -> str:
    statement = text("SELECT compline.enqueue(:kind, CAST(:args AS jsonb), CAST(:options AS jsonb))")
    parameters = {"kind": kind, "args": json.dumps(args), "options": json.dumps(options)}
    return str(connection.execute(statement, parameters).scalar_one())


def main() -> None:
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    url = url.replace("postgres://", "postgresql+psycopg://", 1)
    engine = create_engine(url)

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY, total numeric NOT NULL)"))

    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders VALUES (7, 99.50)"))
        job = enqueue(connection, "system.noop", {}, unique_key="order-7", tags=["example"])
        # Until here nobody else sees either of them.
    print("enqueued", job)

    try:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO orders VALUES (8, 1.00)"))
            rolled_back = enqueue(connection, "system.noop", {}, unique_key="order-8")
            raise RuntimeError("the card was declined")
    except RuntimeError as problem:
        print("rolled back", rolled_back, f"because {problem}")


if __name__ == "__main__":
    main()
