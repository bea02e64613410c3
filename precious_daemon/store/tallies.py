"""Counts that pages show, kept by triggers as rows come and go: counting a million rows anew would take too long.

A tally is named by what is counted, whose it is (a root, a voter, or 0), and which of them:

    photos           root   state        photos in that state
    unsupported      0      suffix       files that cannot be read as photos
    votes            voter  comparisons  comparisons that count
    suggestions      voter  state        suggestions in that state
    certified        voter  open         open suggestions that are certified
    suggested bytes  voter  open         bytes of the photos that are suggested now
    trash            0      units        captures in the trash; `bytes` theirs
    suggested to anybody    0    photos  photos that are suggested to one voter or to several; `bytes` theirs

Beside them is `labels`: the newest keep or delete of each voter and photo that counts.
"""

from __future__ import annotations

from precious_daemon.store import Database


def of(db: Database, what: str, whose: int = 0) -> dict[str, int]:
    """The tallies of one kind and owner, by what they count. What was never there is absent."""
    return dict(db.execute("SELECT which, count FROM tallies WHERE what = ? AND whose = ?", [what, whose]).fetchall())


def total(db: Database, what: str) -> dict[str, int]:
    """The tallies of one kind, over all owners."""
    return dict(db.execute("SELECT which, sum(count) FROM tallies WHERE what = ? GROUP BY which", [what]).fetchall())


def recount(db: Database) -> None:
    """Count everything anew: after a migration, and where a test wants to know whether the triggers are right."""
    db.executescript(_COUNT)


_COUNT = """
    DELETE FROM tallies;
    INSERT INTO tallies SELECT 'photos', root_id, state, count(*) FROM photos GROUP BY root_id, state;
    INSERT INTO tallies SELECT 'unsupported', 0, suffix, sum(count) FROM unsupported GROUP BY suffix;
    INSERT INTO tallies SELECT 'votes', voter_id, 'comparisons', count(*) FROM live_answers
        WHERE question IN ('pair', 'four') AND choice IN ('first', 'second', 'third', 'fourth', 'order', 'draw')
        GROUP BY voter_id;
    INSERT INTO tallies SELECT 'suggestions', voter_id, state, count(*) FROM suggestions GROUP BY voter_id, state;
    INSERT INTO tallies SELECT 'certified', voter_id, 'open', count(*) FROM suggestions WHERE state = 'open' AND certified
        GROUP BY voter_id;
    INSERT INTO tallies SELECT 'suggested bytes', voter_id, 'open', coalesce(sum(files.size), 0)
        FROM suggestions LEFT JOIN files USING (photo_id) WHERE state = 'open' GROUP BY voter_id;
    INSERT INTO tallies SELECT 'suggested to anybody', 0, 'photos', count(DISTINCT photo_id)
        FROM suggestions WHERE state = 'open';
    INSERT INTO tallies SELECT 'suggested to anybody', 0, 'bytes', coalesce(sum(size), 0)
        FROM files WHERE photo_id IN (SELECT photo_id FROM suggestions WHERE state = 'open');
    INSERT INTO tallies SELECT 'trash', 0, 'units', count(*) FROM units WHERE state = 'done';
    INSERT INTO tallies SELECT 'trash', 0, 'bytes', coalesce(sum(size), 0)
        FROM units JOIN unit_files ON unit_id = units.id WHERE state = 'done';
    DELETE FROM labels;
    INSERT INTO labels SELECT voter_id, photo_id, max(id), keep, purpose, at FROM live_labels GROUP BY voter_id, photo_id;
"""

M006 = """
    CREATE TABLE tallies (
        what TEXT NOT NULL,
        whose INTEGER NOT NULL,
        which TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (what, whose, which)
    ) WITHOUT ROWID;
    CREATE TABLE labels (
        voter_id INTEGER NOT NULL,
        photo_id INTEGER NOT NULL,
        answer_id INTEGER NOT NULL,
        keep INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (voter_id, photo_id)
    ) WITHOUT ROWID;
    CREATE INDEX labels_by_purpose ON labels(voter_id, purpose);
    DROP VIEW live_answers;              -- + keeps the index on `undoes` out of it: nearly every answer undoes nothing
    CREATE VIEW live_answers AS
        SELECT * FROM answers AS a WHERE +undoes IS NULL
        AND NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = a.id);

    CREATE TRIGGER photo_counted AFTER INSERT ON photos BEGIN
        INSERT INTO tallies VALUES ('photos', new.root_id, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER photo_recounted AFTER UPDATE OF root_id, state ON photos
    WHEN old.root_id != new.root_id OR old.state != new.state BEGIN
        UPDATE tallies SET count = count - 1 WHERE what = 'photos' AND whose = old.root_id AND which = old.state;
        INSERT INTO tallies VALUES ('photos', new.root_id, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER photo_uncounted AFTER DELETE ON photos BEGIN
        UPDATE tallies SET count = count - 1 WHERE what = 'photos' AND whose = old.root_id AND which = old.state;
    END;

    CREATE TRIGGER unsupported_counted AFTER INSERT ON unsupported BEGIN
        INSERT INTO tallies VALUES ('unsupported', 0, new.suffix, new.count)
            ON CONFLICT DO UPDATE SET count = count + excluded.count;
    END;
    CREATE TRIGGER unsupported_uncounted AFTER DELETE ON unsupported BEGIN
        UPDATE tallies SET count = count - old.count WHERE what = 'unsupported' AND whose = 0 AND which = old.suffix;
    END;

    CREATE TRIGGER vote_counted AFTER INSERT ON answers
    WHEN new.question = 'pair' AND new.choice IN ('first', 'second', 'draw') BEGIN
        INSERT INTO tallies VALUES ('votes', new.voter_id, 'comparisons', 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER vote_uncounted AFTER INSERT ON answers WHEN new.undoes IS NOT NULL BEGIN
        UPDATE tallies SET count = count - 1 WHERE what = 'votes' AND whose = new.voter_id AND EXISTS (
            SELECT 1 FROM answers WHERE id = new.undoes AND question = 'pair' AND choice IN ('first', 'second', 'draw'));
    END;
    CREATE TRIGGER label_kept AFTER INSERT ON answers
    WHEN new.undoes IS NOT NULL OR new.choice IN ('keep', 'delete', 'both_keep', 'both_delete') BEGIN
        DELETE FROM labels WHERE voter_id = new.voter_id AND photo_id IN (new.photo_id, new.other_id);
        INSERT INTO labels SELECT voter_id, photo_id, id, keep, purpose, at FROM live_labels
            WHERE photo_id = new.photo_id AND +voter_id = new.voter_id ORDER BY id DESC LIMIT 1;
        INSERT OR REPLACE INTO labels SELECT voter_id, photo_id, id, keep, purpose, at FROM live_labels
            WHERE photo_id = new.other_id AND +voter_id = new.voter_id ORDER BY id DESC LIMIT 1;
    END;

    CREATE TRIGGER suggestion_counted AFTER INSERT ON suggestions BEGIN
        INSERT INTO tallies VALUES ('suggestions', new.voter_id, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
        INSERT INTO tallies SELECT 'suggested bytes', new.voter_id, 'open', coalesce(sum(size), 0) FROM files
            WHERE photo_id = new.photo_id AND new.state = 'open'
            ON CONFLICT DO UPDATE SET count = count + excluded.count;
    END;
    CREATE TRIGGER suggestion_recounted AFTER UPDATE OF state ON suggestions WHEN old.state != new.state BEGIN
        UPDATE tallies SET count = count - 1 WHERE what = 'suggestions' AND whose = old.voter_id AND which = old.state;
        INSERT INTO tallies VALUES ('suggestions', new.voter_id, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
        UPDATE tallies SET count = count + ((new.state = 'open') - (old.state = 'open'))
                * (SELECT coalesce(sum(size), 0) FROM files WHERE photo_id = new.photo_id)
            WHERE what = 'suggested bytes' AND whose = new.voter_id AND 'open' IN (old.state, new.state);
    END;
    CREATE TRIGGER file_weighed AFTER INSERT ON files BEGIN
        UPDATE tallies SET count = count + new.size WHERE what = 'suggested bytes' AND which = 'open'
            AND whose IN (SELECT voter_id FROM suggestions WHERE photo_id = new.photo_id AND state = 'open');
    END;
    CREATE TRIGGER file_reweighed AFTER UPDATE OF size, photo_id ON files
    WHEN old.size != new.size OR old.photo_id != new.photo_id BEGIN
        UPDATE tallies SET count = count - old.size WHERE what = 'suggested bytes' AND which = 'open'
            AND whose IN (SELECT voter_id FROM suggestions WHERE photo_id = old.photo_id AND state = 'open');
        UPDATE tallies SET count = count + new.size WHERE what = 'suggested bytes' AND which = 'open'
            AND whose IN (SELECT voter_id FROM suggestions WHERE photo_id = new.photo_id AND state = 'open');
    END;
    CREATE TRIGGER file_unweighed AFTER DELETE ON files BEGIN
        UPDATE tallies SET count = count - old.size WHERE what = 'suggested bytes' AND which = 'open'
            AND whose IN (SELECT voter_id FROM suggestions WHERE photo_id = old.photo_id AND state = 'open');
    END;

    CREATE TRIGGER unit_recounted AFTER UPDATE OF state ON units WHEN (old.state = 'done') != (new.state = 'done') BEGIN
        UPDATE tallies SET count = count + iif(new.state = 'done', 1, -1)
            WHERE what = 'trash' AND whose = 0 AND which = 'units';
        UPDATE tallies SET count = count + iif(new.state = 'done', 1, -1)
                * (SELECT coalesce(sum(size), 0) FROM unit_files WHERE unit_id = new.id)
            WHERE what = 'trash' AND whose = 0 AND which = 'bytes';
    END;

    CREATE INDEX photos_of_root ON photos(root_id, draw) WHERE state IN ('present', 'new', 'broken');
    CREATE INDEX units_in_order ON units(state, id);
    CREATE INDEX answers_by_voter ON answers(voter_id);  -- + before voter_id, in a query for one photo, keeps it from being used
    CREATE INDEX answers_on_one ON answers(voter_id, purpose, at) WHERE choice IN ('keep', 'delete');
    CREATE INDEX answers_on_two ON answers(voter_id, purpose, at) WHERE choice IN ('both_keep', 'both_delete');
"""

C002 = """
    CREATE TABLE cluster_sizes (cluster INTEGER PRIMARY KEY, size INTEGER NOT NULL);
    INSERT INTO cluster_sizes SELECT cluster, count(*) FROM clusters GROUP BY cluster;
    CREATE TABLE group_counts (kind TEXT PRIMARY KEY, count INTEGER NOT NULL);
    INSERT INTO group_counts SELECT kind, count(DISTINCT group_id) FROM group_members GROUP BY kind;
    CREATE INDEX group_members_by_photo ON group_members(photo_id);
"""

_OPEN_TO_ANOTHER = "SELECT 1 FROM suggestions WHERE photo_id = new.photo_id AND state = 'open' AND id != new.id"
_OF_THE_PHOTO = "(SELECT coalesce(sum(size), 0) FROM files WHERE photo_id = new.photo_id)"
M029 = f"""
    CREATE INDEX answers_by_question ON answers(voter_id, question);
    CREATE INDEX photos_not_there ON photos(id) WHERE state != 'present';   -- few, and looked up without the photo itself
    CREATE INDEX suggestions_open ON suggestions(place, id, certified, photo_id) WHERE state = 'open';
    CREATE INDEX suggestions_certified ON suggestions(voter_id, place, id) WHERE state = 'open' AND certified;
    INSERT OR REPLACE INTO tallies SELECT 'suggested to anybody', 0, 'photos', count(DISTINCT photo_id)
        FROM suggestions WHERE state = 'open';
    INSERT OR REPLACE INTO tallies SELECT 'suggested to anybody', 0, 'bytes', coalesce(sum(size), 0)
        FROM files WHERE photo_id IN (SELECT photo_id FROM suggestions WHERE state = 'open');
    CREATE TRIGGER suggested_to_anybody AFTER INSERT ON suggestions
    WHEN new.state = 'open' AND NOT EXISTS ({_OPEN_TO_ANOTHER}) BEGIN
        UPDATE tallies SET count = count + iif(which = 'photos', 1, {_OF_THE_PHOTO}) WHERE what = 'suggested to anybody';
    END;
    CREATE TRIGGER suggested_to_anybody_again AFTER UPDATE OF state ON suggestions
    WHEN (old.state = 'open') != (new.state = 'open') AND NOT EXISTS ({_OPEN_TO_ANOTHER}) BEGIN
        UPDATE tallies SET count = count + iif(new.state = 'open', 1, -1) * iif(which = 'photos', 1, {_OF_THE_PHOTO})
            WHERE what = 'suggested to anybody';
    END;
    CREATE TRIGGER file_weighed_for_anybody AFTER INSERT ON files BEGIN
        UPDATE tallies SET count = count + new.size WHERE what = 'suggested to anybody' AND which = 'bytes'
            AND EXISTS (SELECT 1 FROM suggestions WHERE photo_id = new.photo_id AND state = 'open');
    END;
    CREATE TRIGGER file_reweighed_for_anybody AFTER UPDATE OF size, photo_id ON files
    WHEN old.size != new.size OR old.photo_id != new.photo_id BEGIN
        UPDATE tallies SET count = count - old.size WHERE what = 'suggested to anybody' AND which = 'bytes'
            AND EXISTS (SELECT 1 FROM suggestions WHERE photo_id = old.photo_id AND state = 'open');
        UPDATE tallies SET count = count + new.size WHERE what = 'suggested to anybody' AND which = 'bytes'
            AND EXISTS (SELECT 1 FROM suggestions WHERE photo_id = new.photo_id AND state = 'open');
    END;
    CREATE TRIGGER file_unweighed_for_anybody AFTER DELETE ON files BEGIN
        UPDATE tallies SET count = count - old.size WHERE what = 'suggested to anybody' AND which = 'bytes'
            AND EXISTS (SELECT 1 FROM suggestions WHERE photo_id = old.photo_id AND state = 'open');
    END;
"""

_SURE = "({0}.state = 'open' AND {0}.certified)"
M031 = f"""
    INSERT OR REPLACE INTO tallies SELECT 'certified', voter_id, 'open', count(*) FROM suggestions
        WHERE state = 'open' AND certified GROUP BY voter_id;
    CREATE TRIGGER certified_counted AFTER INSERT ON suggestions WHEN {_SURE.format("new")} BEGIN
        INSERT INTO tallies VALUES ('certified', new.voter_id, 'open', 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER certified_recounted AFTER UPDATE OF state, certified ON suggestions
    WHEN {_SURE.format("old")} != {_SURE.format("new")} BEGIN
        INSERT INTO tallies VALUES ('certified', new.voter_id, 'open', {_SURE.format("new")})
            ON CONFLICT DO UPDATE SET count = count + iif({_SURE.format("new")}, 1, -1);
    END;
"""
