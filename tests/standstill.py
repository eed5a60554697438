"""Makes a worker stand still inside a chosen transaction, by triggers in the test's database and not by product code.

A thread's transactions are numbered by the table that they write first. A worker can be made to stand before one has
written its first row (`before`: all of it is lost with the worker) or in its commit (`after`: all of it is kept, and
the worker never hears so).
"""

from dataclasses import dataclass
from typing import Literal, Self, get_args

import psycopg
from psycopg.rows import class_row

_LOCKS = 42
STEADY = {"GATEHOUSE_HOLD_S": "30"}
"""Environment of workers whose transactions fall at the same places each time, however slow the machine is."""
_TRIGGERS = """
CREATE TABLE passed (
    thread text, kind text, nth integer, xid xid8, label text NOT NULL DEFAULT '', at bigserial,
    PRIMARY KEY (thread, xid)
);
CREATE TABLE stand (thread text, kind text, nth integer, moment text, key integer GENERATED ALWAYS AS IDENTITY);

CREATE FUNCTION stand_at(p_thread text, p_kind text, p_nth integer, p_moment text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE v_key integer;
BEGIN
    SELECT key INTO v_key FROM stand
        WHERE thread = p_thread AND kind = p_kind AND nth = p_nth AND moment = p_moment;
    IF FOUND THEN
        PERFORM pg_advisory_xact_lock(42, v_key);
    END IF;
END $$;

CREATE FUNCTION pass_by() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    v_row    jsonb := to_jsonb(NEW);
    v_thread text := coalesce(v_row ->> 'thread_id', substr(v_row ->> 'stream', 6));
    v_record jsonb;
    v_label  text := TG_TABLE_NAME;
    v_nth    integer;
BEGIN
    IF TG_TABLE_NAME = 'audit_record' THEN
        v_record := convert_from(NEW.canon, 'UTF8')::jsonb;
        v_label := concat_ws(' ', v_record ->> 'event', v_record #>> '{data,stage}', v_record #>> '{data,tool}',
                             v_record #>> '{data,prompt}');
    END IF;
    INSERT INTO passed (thread, kind, nth, xid)
        SELECT v_thread, TG_TABLE_NAME, count(*) + 1, pg_current_xact_id()
        FROM passed WHERE thread = v_thread AND kind = TG_TABLE_NAME
        ON CONFLICT (thread, xid) DO NOTHING RETURNING nth INTO v_nth;
    IF FOUND THEN
        PERFORM stand_at(v_thread, TG_TABLE_NAME, v_nth, 'before');
    END IF;
    UPDATE passed SET label = concat_ws(', ', nullif(label, ''), v_label)
        WHERE thread = v_thread AND xid = pg_current_xact_id() AND strpos(label, v_label) = 0;
    RETURN NEW;
END $$;
CREATE TRIGGER pass_by BEFORE INSERT ON audit_record FOR EACH ROW EXECUTE FUNCTION pass_by();
CREATE TRIGGER pass_by BEFORE INSERT OR UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION pass_by();
CREATE TRIGGER pass_by BEFORE INSERT OR UPDATE ON checkpoint_writes FOR EACH ROW EXECUTE FUNCTION pass_by();
CREATE TRIGGER pass_by BEFORE INSERT OR UPDATE ON effect FOR EACH ROW EXECUTE FUNCTION pass_by();
CREATE TRIGGER pass_by BEFORE INSERT OR UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION pass_by();

CREATE FUNCTION commit_by() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM stand_at(NEW.thread, NEW.kind, NEW.nth, 'after');
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER commit_by AFTER INSERT ON passed DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION commit_by();
"""
_STANDING = """
SELECT s.moment, l.pid FROM stand s
JOIN pg_locks l ON l.locktype = 'advisory' AND l.classid = %s AND l.objid = s.key AND NOT l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

Moment = Literal["before", "after"]


@dataclass(frozen=True)
class Point:
    """A moment of a thread's `nth` transaction that writes `kind` first; `label` says what all of it writes."""

    kind: str
    nth: int
    label: str
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} {self.kind} {self.nth}: {self.label}"


@dataclass(frozen=True)
class Standing:
    """A backend that waits in a transaction."""

    moment: Moment
    pid: int


class Standstill:
    """Where the threads of one database stand still."""

    def __init__(self, dsn: str) -> None:
        self._conn = psycopg.connect(dsn, autocommit=True)
        self._conn.execute(_TRIGGERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._conn.close()

    def points(self, thread: str) -> list[Point]:
        """Both moments of every transaction that was committed for a thread, in order."""
        query = "SELECT kind, nth, label FROM passed WHERE thread = %s ORDER BY at"
        rows = self._conn.execute(query, (thread,)).fetchall()
        return [Point(kind, nth, label, moment) for kind, nth, label in rows for moment in get_args(Moment)]

    def arm(self, thread: str, point: Point) -> None:
        """Have the thread's next worker stand there."""
        query = "INSERT INTO stand (thread, kind, nth, moment) VALUES (%s, %s, %s, %s) RETURNING key"
        row = self._conn.execute(query, (thread, point.kind, point.nth, point.moment)).fetchone()
        assert row
        self._conn.execute("SELECT pg_advisory_lock(%s, %s)", (_LOCKS, row[0]))

    def standing(self) -> list[Standing]:
        with self._conn.cursor(row_factory=class_row(Standing)) as cur:
            return cur.execute(_STANDING, (_LOCKS,)).fetchall()

    def cut_off(self) -> None:
        """End the connections of a worker that is dead: what stood before its first row is lost, a commit is made."""
        for standing in self.standing():
            if standing.moment == "before":
                self._conn.execute("SELECT pg_terminate_backend(%s, 5000)", (standing.pid,))
        self.release()

    def release(self) -> None:
        """Who stands goes on."""
        self._conn.execute("DELETE FROM stand")
        self._conn.execute("SELECT pg_advisory_unlock_all()")
