"""Tables of library.db, which holds what cannot be made again. A migration is never changed once released; one is added below."""

from __future__ import annotations

from sqlite_utils import Migrations

from precious_daemon.store import Database, tallies

# A photo known by its name, or seen by a first look: present, but its content is not known yet.
UNREAD = "(state = 'new' OR state = 'present' AND content_hash IS NULL)"

library = Migrations("precious-daemon library")


@library()
def m001_folders_and_photos(db: Database) -> None:
    db.executescript("""
        CREATE TABLE roots (
            id INTEGER PRIMARY KEY,
            path BLOB NOT NULL UNIQUE,       -- absolute, as bytes: a name need not be UTF-8
            marker TEXT,                     -- id written into the folder; NULL: not writable, suggest only
            device INTEGER,
            state TEXT NOT NULL DEFAULT 'watched',
            reason TEXT,
            suggest_only TEXT,               -- why nothing can be moved safely here; NULL: nothing is known against it
            added_at REAL NOT NULL
        );
        CREATE TABLE photos (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,        -- in addresses: cannot be guessed
            root_id INTEGER NOT NULL REFERENCES roots(id),
            path BLOB NOT NULL,              -- of the still, relative to its root
            state TEXT NOT NULL DEFAULT 'new',
            error TEXT,
            content_hash BLOB,
            perceptual_hash INTEGER,
            width INTEGER,
            height INTEGER,
            format TEXT,
            size INTEGER NOT NULL DEFAULT 0,
            taken_at REAL,
            taken_from TEXT,
            camera TEXT,
            ambiguous TEXT,                  -- why its companions cannot be told: such a capture is never moved
            draw INTEGER NOT NULL DEFAULT (random()),   -- a place in a random order, so that a random photo is one index look-up
            added_at REAL NOT NULL,
            changed_at REAL NOT NULL
        );
        CREATE INDEX photos_by_state ON photos(state, added_at);
        CREATE INDEX photos_by_hash ON photos(content_hash);
        CREATE INDEX photos_newest ON photos(state, coalesce(taken_at, 0), id);
        CREATE INDEX photos_by_draw ON photos(draw) WHERE state = 'present';
        CREATE TABLE files (
            id INTEGER PRIMARY KEY,
            photo_id INTEGER NOT NULL REFERENCES photos(id) ON DELETE CASCADE,
            root_id INTEGER NOT NULL REFERENCES roots(id),
            folder BLOB NOT NULL,            -- relative to the root, empty for the root itself
            path BLOB NOT NULL,
            role TEXT NOT NULL,
            dev INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            content_hash BLOB,
            UNIQUE (root_id, path)
        );
        CREATE INDEX files_by_photo ON files(photo_id);
        CREATE INDEX files_by_folder ON files(root_id, folder);
        CREATE INDEX files_by_inode ON files(inode);
        CREATE TABLE unsupported (
            root_id INTEGER NOT NULL REFERENCES roots(id),
            folder BLOB NOT NULL,
            suffix TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (root_id, folder, suffix)
        );
    """)


@library()
def m002_answers(db: Database) -> None:
    db.executescript("""
        CREATE TABLE voters (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            created_at REAL NOT NULL
        );
        INSERT INTO voters VALUES (1, 'owner', unixepoch());
        CREATE TABLE answers (               -- append-only: an undo is a row of its own
            id INTEGER PRIMARY KEY,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            at REAL NOT NULL,
            question TEXT NOT NULL,
            choice TEXT,
            photo_id INTEGER REFERENCES photos(id),
            other_id INTEGER REFERENCES photos(id),
            purpose TEXT NOT NULL,
            undoes INTEGER UNIQUE REFERENCES answers(id),
            request TEXT UNIQUE              -- the page's name for this answer: a repeated send is stored once
        );
        CREATE INDEX answers_by_photo ON answers(photo_id);
        CREATE INDEX answers_by_other ON answers(other_id);
        CREATE TRIGGER answers_keep BEFORE UPDATE OF voter_id, at, question, choice, purpose, undoes ON answers
            BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END;
        CREATE TRIGGER answers_stay BEFORE DELETE ON answers
            BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END;
        CREATE VIEW live_answers AS
            SELECT * FROM answers AS a WHERE undoes IS NULL
            AND NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = a.id);
        CREATE VIEW live_labels AS           -- one row for each photo and answer; the newest of a photo counts
            SELECT id, voter_id, at, photo_id, choice = 'keep' AS keep, purpose FROM live_answers
                WHERE question != 'pair' AND choice IN ('keep', 'delete')
            UNION ALL
            SELECT id, voter_id, at, photo_id, choice = 'both_keep', purpose FROM live_answers
                WHERE question = 'pair' AND choice IN ('both_keep', 'both_delete')
            UNION ALL
            SELECT id, voter_id, at, other_id, choice = 'both_keep', purpose FROM live_answers
                WHERE question = 'pair' AND choice IN ('both_keep', 'both_delete');
        CREATE TABLE priors (                -- ratings brought along from elsewhere: where the votes here start from
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            mu REAL NOT NULL,
            sigma REAL NOT NULL,
            wins INTEGER NOT NULL,
            losses INTEGER NOT NULL,
            PRIMARY KEY (voter_id, photo_id)
        );
        CREATE TABLE pools (                 -- a set of candidates, put in random order before any audit is answered
            id INTEGER PRIMARY KEY,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            created_at REAL NOT NULL,
            floor REAL NOT NULL
        );
        CREATE TABLE pool_members (
            pool_id INTEGER NOT NULL REFERENCES pools(id),
            position INTEGER NOT NULL,       -- one draw: a photo, or a whole burst
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            asked INTEGER NOT NULL,          -- the one of its draw that the owner is asked about
            PRIMARY KEY (pool_id, photo_id)
        );
        CREATE INDEX pool_by_position ON pool_members(pool_id, position);
    """)


@library()
def m003_suggestions_and_units(db: Database) -> None:
    db.executescript("""
        CREATE TABLE suggestions (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            run TEXT NOT NULL,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            kind TEXT NOT NULL,
            keep REAL,
            certified INTEGER NOT NULL,
            reasons TEXT NOT NULL,           -- JSON list of sentences
            keeper_id INTEGER REFERENCES photos(id),
            evidence TEXT NOT NULL,          -- JSON
            place INTEGER NOT NULL,          -- in the list of its run, surest first
            state TEXT NOT NULL DEFAULT 'open',
            created_at REAL NOT NULL,
            changed_at REAL NOT NULL
        );
        CREATE UNIQUE INDEX suggestion_once ON suggestions(voter_id, photo_id) WHERE state IN ('open', 'approved');
        CREATE INDEX suggestions_by_state ON suggestions(voter_id, state, place, id);
        CREATE INDEX suggestions_by_photo ON suggestions(photo_id);
        CREATE TABLE units (                 -- the journal of deletions
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            batch TEXT NOT NULL,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            root_id INTEGER NOT NULL REFERENCES roots(id),
            suggestion_id INTEGER REFERENCES suggestions(id),
            keeper_id INTEGER REFERENCES photos(id),
            answer_id INTEGER REFERENCES answers(id),   -- the owner's "delete"; counts for as long as the unit does
            reason TEXT NOT NULL,
            state TEXT NOT NULL,
            approved_at REAL NOT NULL,
            changed_at REAL NOT NULL,
            error TEXT
        );
        CREATE INDEX units_by_state ON units(state, changed_at);
        CREATE INDEX units_by_photo ON units(photo_id);
        CREATE INDEX units_by_batch ON units(batch);
        CREATE TABLE unit_files (
            unit_id INTEGER NOT NULL REFERENCES units(id),
            path BLOB NOT NULL,
            role TEXT NOT NULL,
            dev INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            content_hash BLOB NOT NULL,
            trash_path BLOB,
            restored_path BLOB,
            PRIMARY KEY (unit_id, path)
        );
    """)


@library()
def m004_jobs_and_sessions(db: Database) -> None:
    db.executescript("""
        CREATE TABLE job_runs (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            trigger TEXT NOT NULL,
            started_at REAL NOT NULL,
            finished_at REAL,
            outcome TEXT NOT NULL DEFAULT 'running',
            detail TEXT NOT NULL DEFAULT '',
            error TEXT                       -- which expected error ended it
        );
        CREATE INDEX job_runs_by_name ON job_runs(name, started_at);
        CREATE TABLE models (
            run TEXT PRIMARY KEY,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            at REAL NOT NULL,
            champion TEXT NOT NULL,
            report TEXT NOT NULL             -- JSON
        );
        CREATE TABLE certificates (
            voter_id INTEGER PRIMARY KEY REFERENCES voters(id),
            at REAL NOT NULL,
            verdict TEXT NOT NULL            -- JSON
        );
        CREATE TABLE deliveries (
            run TEXT NOT NULL,
            plugin TEXT NOT NULL,
            at REAL NOT NULL,
            error TEXT,
            PRIMARY KEY (run, plugin)
        );
        CREATE TABLE sessions (
            token_hash BLOB PRIMARY KEY,     -- SHA-256: the token itself is only in the browser
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            created_at REAL NOT NULL,
            seen_at REAL NOT NULL
        );
    """)


@library()
def m005_first_look(db: Database) -> None:
    """What the camera says beside time and name; photos in the order in which they are read."""
    db.executescript(f"""
        ALTER TABLE photos ADD COLUMN taken_offset INTEGER;   -- minutes east of UTC
        ALTER TABLE photos ADD COLUMN lens TEXT;
        ALTER TABLE photos ADD COLUMN exposure TEXT;
        ALTER TABLE photos ADD COLUMN latitude REAL;
        ALTER TABLE photos ADD COLUMN longitude REAL;
        CREATE INDEX photos_unread ON photos(taken_at DESC, id DESC) WHERE {UNREAD};
    """)


@library()
def m006_tallies(db: Database) -> None:
    """Numbers kept by triggers, and indexes by which every page of a million photos is one look-up."""
    db.executescript(tallies.M006)
    tallies.recount(db)


@library()
def m007_said_of_groups(db: Database) -> None:
    """What the owner decided about bursts and copies, and how clusters are called. Both outlive every regrouping."""
    db.executescript("""
        CREATE TABLE group_decisions (
            id INTEGER PRIMARY KEY,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            at REAL NOT NULL,
            best_id INTEGER NOT NULL REFERENCES photos(id)
        );
        CREATE INDEX group_decisions_by_voter ON group_decisions(voter_id, at);
        CREATE TABLE group_decision_members ( -- the set of photos that it is about
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            decision_id INTEGER NOT NULL REFERENCES group_decisions(id) ON DELETE CASCADE,
            stays INTEGER NOT NULL,
            PRIMARY KEY (photo_id, decision_id)
        ) WITHOUT ROWID;
        CREATE INDEX group_decision_members_by_decision ON group_decision_members(decision_id);
        CREATE TABLE cluster_names (         -- of the cluster that this photo, then its representative, is in
            photo_id INTEGER PRIMARY KEY REFERENCES photos(id),
            name TEXT NOT NULL,
            at REAL NOT NULL
        );
    """)


@library()
def m008_out_of_the_ranking(db: Database) -> None:
    """Photos taken out of a voter's ranking: those with such an answer that was not undone."""
    db.execute("CREATE INDEX answers_out ON answers(voter_id, photo_id) WHERE choice = 'out'")


@library()
def m009_pause_and_pairs(db: Database) -> None:
    """The pause that the owner asked for, and by what the files of a capture are known to belong together."""
    db.executescript("""
        CREATE TABLE pause (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            since REAL NOT NULL,
            until REAL                       -- NULL: until the owner resumes
        );
        ALTER TABLE photos ADD COLUMN content_id TEXT;        -- Apple's, the same in both files of a Live Photo
        ALTER TABLE files ADD COLUMN bond TEXT;               -- why it is of this photo; NULL is by its name
        CREATE TABLE relatives (             -- what videos and RAW files say of themselves, whosever they are
            root_id INTEGER NOT NULL REFERENCES roots(id),
            path BLOB NOT NULL,
            folder BLOB NOT NULL,
            inode INTEGER NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            seen INTEGER NOT NULL DEFAULT 0, -- whether it was looked into
            content_id TEXT,
            taken_at REAL,                   -- by its EXIF
            PRIMARY KEY (root_id, path)
        ) WITHOUT ROWID;
        CREATE INDEX relatives_by_folder ON relatives(root_id, folder);
        CREATE INDEX relatives_unseen ON relatives(root_id, folder) WHERE seen = 0;
        CREATE INDEX photos_ambiguous ON photos(state, id) WHERE ambiguous IS NOT NULL;
    """)


@library()
def m010_sets_of_frames(db: Database) -> None:
    """By which frames that belong together are told from frames of which one is enough."""
    db.executescript("""
        ALTER TABLE photos ADD COLUMN bracketed INTEGER NOT NULL DEFAULT 0;  -- the camera took several exposures
        ALTER TABLE photos ADD COLUMN exposure_bias REAL;    -- EV
        ALTER TABLE photos ADD COLUMN focus_distance REAL;   -- metres
    """)


@library()
def m011_named_clusters(db: Database) -> None:
    """A name is kept by many members of its cluster, and finds them again; decisions of one rule belong together."""
    db.executescript("""
        CREATE TABLE named_clusters (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            at REAL NOT NULL
        );
        CREATE TABLE named_cluster_members ( -- as it was named: some of those that were in it
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            named_id INTEGER NOT NULL REFERENCES named_clusters(id) ON DELETE CASCADE,
            PRIMARY KEY (photo_id, named_id)
        ) WITHOUT ROWID;
        CREATE INDEX named_cluster_members_by_name ON named_cluster_members(named_id);
        INSERT INTO named_clusters SELECT photo_id, name, at FROM cluster_names;
        INSERT INTO named_cluster_members SELECT photo_id, photo_id FROM cluster_names;
        DROP TABLE cluster_names;
        ALTER TABLE group_decisions ADD COLUMN rule TEXT;
        CREATE INDEX group_decisions_by_rule ON group_decisions(rule) WHERE rule IS NOT NULL;
    """)


@library()
def m012_asking_well(db: Database) -> None:
    """Answers about four photos, where a photo's rating starts from, and what generated pictures were asked for."""
    db.executescript("""
        ALTER TABLE answers ADD COLUMN third_id INTEGER REFERENCES photos(id);
        ALTER TABLE answers ADD COLUMN fourth_id INTEGER REFERENCES photos(id);
        CREATE INDEX answers_by_third ON answers(third_id) WHERE third_id IS NOT NULL;
        CREATE INDEX answers_by_fourth ON answers(fourth_id) WHERE fourth_id IS NOT NULL;
        CREATE INDEX answers_compared ON answers(voter_id) WHERE question IN ('pair', 'four');
        CREATE INDEX answers_outside ON answers(photo_id) WHERE question = 'outside';
        CREATE INDEX files_sidecars ON files(mtime_ns) WHERE role = 'sidecar';
        CREATE INDEX answers_by_two ON answers(photo_id, other_id) WHERE other_id IS NOT NULL;
        ALTER TABLE priors ADD COLUMN source TEXT NOT NULL DEFAULT 'import';   -- or model: its guess, when first voted on
        CREATE TABLE prompts (
            photo_id INTEGER PRIMARY KEY REFERENCES photos(id),
            prompt TEXT NOT NULL,
            source TEXT NOT NULL,            -- file, table or owner
            at REAL NOT NULL
        );
        DROP TRIGGER vote_counted;
        DROP TRIGGER vote_uncounted;
        CREATE TRIGGER vote_counted AFTER INSERT ON answers
        WHEN new.question IN ('pair', 'four')
            AND new.choice IN ('first', 'second', 'third', 'fourth', 'order', 'draw') BEGIN
            INSERT INTO tallies VALUES ('votes', new.voter_id, 'comparisons', 1) ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER vote_uncounted AFTER INSERT ON answers WHEN new.undoes IS NOT NULL BEGIN
            UPDATE tallies SET count = count - 1 WHERE what = 'votes' AND whose = new.voter_id AND EXISTS (
                SELECT 1 FROM answers WHERE id = new.undoes AND question IN ('pair', 'four')
                    AND choice IN ('first', 'second', 'third', 'fourth', 'order', 'draw'));
        END;
    """)


@library()
def m014_plugin_calls(db: Database) -> None:
    """What plugins have to hear, and whether they did; before, only the outcome of a delivery was known."""
    db.executescript("""
        CREATE TABLE plugin_calls (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL,               -- the same whenever a call is repeated
            plugin TEXT NOT NULL,
            hook TEXT NOT NULL,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            told TEXT NOT NULL,              -- JSON: what is handed over beside the run
            at REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            next_at REAL,                    -- NULL: it arrived, or was given up
            done_at REAL,                    -- when it arrived
            error TEXT,
            UNIQUE (run, plugin, hook)
        );
        CREATE INDEX plugin_calls_due ON plugin_calls(next_at) WHERE next_at IS NOT NULL;
        INSERT INTO plugin_calls (run, plugin, hook, voter_id, told, at, attempts, done_at, error)
            SELECT run, plugin, 'deliver', 1, '{}', at, 1, iif(error IS NULL, at, NULL), error FROM deliveries ORDER BY at;
        DROP TABLE deliveries;
    """)


@library()
def m015_held_back(db: Database) -> None:
    """What the last run held back and why; and of each suggestion the content that it was made of."""
    db.executescript("""
        CREATE TABLE held_back (
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            photo_id INTEGER NOT NULL REFERENCES photos(id) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            kind TEXT NOT NULL,
            why TEXT NOT NULL,
            reasons TEXT NOT NULL,           -- JSON list of sentences
            PRIMARY KEY (voter_id, photo_id)
        ) WITHOUT ROWID;
        CREATE INDEX held_back_by_place ON held_back(voter_id, place);
        CREATE INDEX held_back_by_photo ON held_back(photo_id);
        ALTER TABLE suggestions ADD COLUMN content_hash BLOB;
        UPDATE suggestions SET content_hash = (SELECT content_hash FROM photos WHERE photos.id = photo_id);
    """)


@library()
def m016_purges(db: Database) -> None:
    """How long something has been in the trash is told by two clocks; a disk is known by more than its number."""
    db.executescript("""
        CREATE TABLE days_run (day TEXT PRIMARY KEY) WITHOUT ROWID;   -- UTC days on which the service was running
        ALTER TABLE roots ADD COLUMN filesystem TEXT;
    """)


@library()
def m017_tokens_and_logs(db: Database) -> None:
    """Keys that the owner made for scripts; what was logged while a job ran; how to tell one signed-in browser from another."""
    db.executescript("""
        CREATE TABLE tokens (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            token_hash BLOB NOT NULL UNIQUE,
            scope TEXT NOT NULL,
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            created_at REAL NOT NULL,
            used_at REAL
        );
        ALTER TABLE job_runs ADD COLUMN log TEXT;
        CREATE INDEX job_runs_of_a_job ON job_runs(name, id);
        ALTER TABLE sessions ADD COLUMN browser TEXT;    -- what it calls itself
    """)


@library()
def m018_people(db: Database) -> None:
    """A profile that is not used any more stays, with all that it said."""
    db.execute("ALTER TABLE voters ADD COLUMN retired_at REAL")


@library()
def m019_tasks(db: Database) -> None:
    """The owner's own label sets: other questions than keep or delete, with answers that never mix with those."""
    db.executescript("""
        CREATE TABLE tasks (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            created_at REAL NOT NULL
        );
        CREATE TABLE task_classes (          -- in the order of their ids
            id INTEGER PRIMARY KEY,
            task_id INTEGER NOT NULL REFERENCES tasks(id),
            name TEXT NOT NULL,
            key TEXT NOT NULL,               -- one letter or digit
            UNIQUE (task_id, name),
            UNIQUE (task_id, key)
        );
        CREATE TABLE task_answers (          -- append-only: an undo is a row of its own
            id INTEGER PRIMARY KEY,
            task_id INTEGER NOT NULL REFERENCES tasks(id),
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            at REAL NOT NULL,
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            class_id INTEGER REFERENCES task_classes(id),   -- NULL: skipped, or an undo
            undoes INTEGER UNIQUE REFERENCES task_answers(id),
            request TEXT UNIQUE
        );
        CREATE INDEX task_answers_by_voter ON task_answers(task_id, voter_id, photo_id);
        CREATE TRIGGER task_answers_keep BEFORE UPDATE ON task_answers
            BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END;
        CREATE TRIGGER task_answers_stay BEFORE DELETE ON task_answers
            BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END;
        CREATE VIEW live_task_answers AS
            SELECT * FROM task_answers AS a WHERE +undoes IS NULL
            AND NOT EXISTS (SELECT 1 FROM task_answers AS u WHERE u.undoes = a.id);
        CREATE VIEW task_labels AS           -- the newest answer of each photo that counts, where it names a class
            SELECT a.id, a.task_id, a.voter_id, a.at, a.photo_id, a.class_id FROM live_task_answers AS a
            WHERE a.class_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM live_task_answers AS later
                WHERE later.task_id = a.task_id AND later.voter_id = a.voter_id AND later.photo_id = a.photo_id
                AND later.class_id IS NOT NULL AND later.id > a.id);
    """)


@library()
def m020_certified_apart(db: Database) -> None:
    """Pools and certificates by the kind of suggestion that they speak of; of a group, what would stay in its place."""
    db.executescript("""
        ALTER TABLE pools ADD COLUMN kind TEXT NOT NULL DEFAULT 'taste';
        ALTER TABLE pool_members ADD COLUMN keeper_id INTEGER;   -- of a group: the photo that would stay in its place
        CREATE TABLE verdicts (
            voter_id INTEGER NOT NULL REFERENCES voters(id),
            kind TEXT NOT NULL,
            at REAL NOT NULL,
            verdict TEXT NOT NULL,           -- JSON
            PRIMARY KEY (voter_id, kind)
        );
        INSERT INTO verdicts SELECT voter_id, 'taste', at, verdict FROM certificates;
        DROP TABLE certificates;
        CREATE INDEX answers_enough ON answers(voter_id, at) WHERE question = 'enough';
    """)


@library()
def m022_trash_of_the_desktop(db: Database) -> None:
    """Units may go to the trash that file managers show; the paths of their files in the trash are relative to it."""
    db.execute("ALTER TABLE units ADD COLUMN place BLOB")


@library()
def m024_passwords(db: Database) -> None:
    """Passwords of profiles, and tries that failed; where a browser signed in from."""
    db.executescript("""
        CREATE TABLE passwords (
            voter_id INTEGER PRIMARY KEY REFERENCES voters(id),
            hash TEXT NOT NULL,              -- argon2id, with its salt and parameters
            changed_at REAL NOT NULL
        );
        CREATE TABLE sign_in_failures (
            key BLOB PRIMARY KEY,            -- a hash of the account or of the address
            count INTEGER NOT NULL,
            last_at REAL NOT NULL
        );
        ALTER TABLE sessions ADD COLUMN address TEXT;
    """)


@library()
def m026_said_elsewhere(db: Database) -> None:
    """What the owner said of a photo with another program, as its plugin heard it last."""
    db.executescript("""
        CREATE TABLE said_elsewhere (
            plugin TEXT NOT NULL,
            photo_id INTEGER NOT NULL REFERENCES photos(id),
            keep INTEGER NOT NULL,
            how TEXT NOT NULL,
            since REAL NOT NULL,             -- it was said no earlier than that; 0 where nobody knows
            answer_id INTEGER UNIQUE REFERENCES answers(id), -- what became of it; NULL while another answer stands
            PRIMARY KEY (plugin, photo_id)
        ) WITHOUT ROWID;
        CREATE INDEX said_elsewhere_by_photo ON said_elsewhere(photo_id);
    """)


@library()
def m028_people_named(db: Database) -> None:
    """Who is in a photo, as its own XMP says."""
    db.executescript("""
        CREATE TABLE people_named (
            content_hash BLOB NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (content_hash, name)
        ) WITHOUT ROWID;
    """)


@library()
def m029_what_pages_count(db: Database) -> None:
    """Answers of a kind by index, what is suggested to anybody in its order, and how much that is."""
    db.executescript(tallies.M029)


@library()
def m030_labels_of_tasks(db: Database) -> None:
    """What every photo was said to be in a task, as a table that a trigger keeps: the view went through all answers."""
    db.executescript("""
        DROP VIEW task_labels;
        CREATE VIEW live_task_labels AS      -- one row for each answer; the newest of a photo counts
            SELECT id, task_id, voter_id, photo_id, class_id FROM live_task_answers WHERE class_id IS NOT NULL;
        CREATE TABLE task_labels (
            task_id INTEGER NOT NULL,
            voter_id INTEGER NOT NULL,
            photo_id INTEGER NOT NULL,
            class_id INTEGER NOT NULL,
            answer_id INTEGER NOT NULL,
            PRIMARY KEY (task_id, voter_id, photo_id)
        ) WITHOUT ROWID;
        CREATE INDEX task_labels_by_class ON task_labels(task_id, voter_id, class_id, answer_id);
        INSERT INTO task_labels SELECT task_id, voter_id, photo_id, class_id, max(id) FROM live_task_labels GROUP BY 1, 2, 3;
        CREATE TRIGGER task_label_kept AFTER INSERT ON task_answers WHEN new.undoes IS NOT NULL OR new.class_id IS NOT NULL BEGIN
            DELETE FROM task_labels WHERE task_id = new.task_id AND voter_id = new.voter_id AND photo_id = new.photo_id;
            INSERT INTO task_labels SELECT task_id, voter_id, photo_id, class_id, id FROM live_task_labels
                WHERE task_id = new.task_id AND voter_id = new.voter_id AND photo_id = new.photo_id ORDER BY id DESC LIMIT 1;
        END;
    """)


@library()
def m031_how_many_are_certified(db: Database) -> None:
    """Of the suggestions: counted as they come and go."""
    db.executescript(tallies.M031)
