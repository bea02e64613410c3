"""Tables of cache.db, which can be made anew from the photos. A migration is never changed once released; one is added below."""

from __future__ import annotations

from sqlite_utils import Migrations

from precious_daemon.store import Database, tallies

cache = Migrations("precious-daemon cache")


@cache()
def c001_derived(db: Database) -> None:
    db.executescript("""
        CREATE TABLE pictures (              -- by content: a moved file needs no new one
            content_hash BLOB PRIMARY KEY,
            thumbnail BLOB NOT NULL,
            proxy BLOB NOT NULL,
            hog BLOB NOT NULL,
            quality BLOB NOT NULL
        );
        CREATE TABLE previews (
            content_hash BLOB PRIMARY KEY,
            size INTEGER NOT NULL,
            preview BLOB NOT NULL
        );
        CREATE TABLE embeddings (
            content_hash BLOB PRIMARY KEY,
            backbone TEXT NOT NULL,          -- which network made it
            vector BLOB NOT NULL             -- float16
        );
        CREATE TABLE clusters (
            photo_id INTEGER PRIMARY KEY,
            cluster INTEGER NOT NULL,
            distance REAL NOT NULL,          -- to its centre
            representative INTEGER NOT NULL
        );
        CREATE INDEX clusters_by_cluster ON clusters(cluster, distance);
        CREATE INDEX representatives ON clusters(representative) WHERE representative = 1;
        CREATE TABLE group_members (
            kind TEXT NOT NULL,
            photo_id INTEGER NOT NULL,
            group_id INTEGER NOT NULL,
            best INTEGER NOT NULL,
            reason TEXT NOT NULL,
            PRIMARY KEY (kind, photo_id)
        );
        CREATE INDEX group_members_by_group ON group_members(kind, group_id);
        CREATE TABLE scores (
            voter_id INTEGER NOT NULL,
            photo_id INTEGER NOT NULL,
            keep REAL NOT NULL,
            taste REAL NOT NULL,
            PRIMARY KEY (voter_id, photo_id)
        );
        CREATE INDEX scores_by_keep ON scores(voter_id, keep);
        CREATE TABLE ratings (
            voter_id INTEGER NOT NULL,
            photo_id INTEGER NOT NULL,
            mu REAL NOT NULL,
            sigma REAL NOT NULL,
            wins INTEGER NOT NULL,
            losses INTEGER NOT NULL,
            draws INTEGER NOT NULL,
            PRIMARY KEY (voter_id, photo_id)
        );
        CREATE INDEX ratings_by_mu ON ratings(voter_id, mu, photo_id);
        CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL);  -- JSON by name
        INSERT INTO notes VALUES ('preview bytes', '0');
        CREATE TRIGGER preview_kept AFTER INSERT ON previews
            BEGIN UPDATE notes SET value = value + new.size WHERE key = 'preview bytes'; END;
        CREATE TRIGGER preview_gone AFTER DELETE ON previews
            BEGIN UPDATE notes SET value = value - old.size WHERE key = 'preview bytes'; END;
    """)


@cache()
def c002_sizes(db: Database) -> None:
    db.executescript(tallies.C002)


@cache()
def c003_first_looks(db: Database) -> None:
    db.executescript("""
        CREATE TABLE first_looks (           -- the camera's own thumbnail, until the photo itself has been read
            photo_id INTEGER PRIMARY KEY,
            thumbnail BLOB NOT NULL
        );
    """)


@cache()
def c005_compared(db: Database) -> None:
    db.executescript("""
        CREATE TABLE details (               -- sharpness at full size, of frames that compete
            content_hash BLOB PRIMARY KEY,
            detail BLOB NOT NULL
        );
        CREATE TABLE compared (              -- looked at beside all others: only what is new is compared again
            content_hash BLOB PRIMARY KEY
        );
        CREATE TABLE twins (                 -- two contents that show one picture; `how` and by how much, as JSON
            content_hash BLOB NOT NULL,
            other_hash BLOB NOT NULL,
            found TEXT NOT NULL,
            PRIMARY KEY (content_hash, other_hash)
        ) WITHOUT ROWID;
    """)


@cache()
def c006_map(db: Database) -> None:
    """Runs of clustering with their scores; where photos lie on the map; the pixels of originals at full size."""
    db.executescript("""
        CREATE TABLE cluster_runs (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            settings TEXT NOT NULL,          -- JSON: what they were made by
            made TEXT NOT NULL,              -- JSON: why, how many, and the scores of every number tried
            model BLOB                       -- npz: what new photos are assigned by; of the newest only
        );
        ALTER TABLE clusters ADD COLUMN x REAL NOT NULL DEFAULT 0.5;      -- on the map, 0 to 1
        ALTER TABLE clusters ADD COLUMN y REAL NOT NULL DEFAULT 0.5;
        ALTER TABLE clusters ADD COLUMN level INTEGER NOT NULL DEFAULT 0; -- of detail at which it appears
        ALTER TABLE clusters ADD COLUMN added INTEGER NOT NULL DEFAULT 0; -- came after the clusters were made
        CREATE INDEX clusters_on_map ON clusters(
            level, CAST(y * (1 << level) AS INTEGER) * (1 << level) + CAST(x * (1 << level) AS INTEGER));
        CREATE INDEX clusters_added ON clusters(distance) WHERE added = 1;
        ALTER TABLE cluster_sizes ADD COLUMN x REAL NOT NULL DEFAULT 0.5; -- its disc on the map
        ALTER TABLE cluster_sizes ADD COLUMN y REAL NOT NULL DEFAULT 0.5;
        ALTER TABLE cluster_sizes ADD COLUMN radius REAL NOT NULL DEFAULT 0;
        DELETE FROM notes WHERE key = 'clusters';
        CREATE TABLE tiles (                 -- of originals at full size, looked at lately
            content_hash BLOB NOT NULL,
            place TEXT NOT NULL,             -- column,row
            size INTEGER NOT NULL,
            tile BLOB NOT NULL
        );
        CREATE UNIQUE INDEX tiles_by_place ON tiles(content_hash, place);
        INSERT INTO notes VALUES ('tile bytes', '0');
        CREATE TRIGGER tile_kept AFTER INSERT ON tiles
            BEGIN UPDATE notes SET value = value + new.size WHERE key = 'tile bytes'; END;
        CREATE TRIGGER tile_gone AFTER DELETE ON tiles
            BEGIN UPDATE notes SET value = value - old.size WHERE key = 'tile bytes'; END;
    """)


@cache()
def c007_asking_well(db: Database) -> None:
    db.executescript("""
        CREATE TABLE rating_snapshots (      -- all ratings of a voter as they were after an answer, packed
            voter_id INTEGER NOT NULL,
            answer_id INTEGER NOT NULL,
            known INTEGER NOT NULL,          -- newest answer when it was made: an undo after that may spoil it
            votes INTEGER NOT NULL,          -- that count, up to that answer
            fit INTEGER NOT NULL,            -- the answer up to which votes were weighed all at once, not one by one; 0: none
            ratings BLOB NOT NULL,
            PRIMARY KEY (voter_id, answer_id)
        );
        CREATE TABLE guesses (               -- what is believed of photos without votes, on the scale of ratings
            voter_id INTEGER NOT NULL,
            photo_id INTEGER NOT NULL,
            mu REAL NOT NULL,
            sigma REAL NOT NULL,
            PRIMARY KEY (voter_id, photo_id)
        ) WITHOUT ROWID;
        CREATE INDEX guesses_by_mu ON guesses(voter_id, mu, photo_id);
        CREATE INDEX ratings_by_sigma ON ratings(voter_id, sigma, photo_id);
        CREATE TABLE sidecars_read (         -- XMP sidecars as they were when last looked at
            file_id INTEGER PRIMARY KEY,
            mtime_ns INTEGER NOT NULL,
            size INTEGER NOT NULL,
            said TEXT                        -- keep, delete or nothing
        );
    """)


@cache()
def c008_embeddings_by_backbone(db: Database) -> None:
    """What an older network saw stays in use until a new one has seen everything."""
    db.executescript("""
        CREATE TABLE embeddings_by_backbone (
            content_hash BLOB NOT NULL,
            backbone TEXT NOT NULL,          -- which network made it
            vector BLOB NOT NULL,            -- float16
            PRIMARY KEY (content_hash, backbone)
        );
        INSERT INTO embeddings_by_backbone SELECT content_hash, backbone, vector FROM embeddings;
        DROP TABLE embeddings;
        ALTER TABLE embeddings_by_backbone RENAME TO embeddings;
    """)


@cache()
def c009_tasks(db: Database) -> None:
    db.executescript("""
        CREATE TABLE task_scores (           -- the likeliest class of each photo, and how likely it is
            task_id INTEGER NOT NULL,
            voter_id INTEGER NOT NULL,
            photo_id INTEGER NOT NULL,
            class_id INTEGER NOT NULL,
            chance REAL NOT NULL,
            PRIMARY KEY (task_id, voter_id, photo_id)
        ) WITHOUT ROWID;
        CREATE INDEX task_scores_by_class ON task_scores(task_id, voter_id, class_id, chance);
        CREATE INDEX task_scores_by_chance ON task_scores(task_id, voter_id, chance);
    """)


@cache()
def c010_compare_anew(db: Database) -> None:
    """Crops are looked for among more neighbours, and tilts at all: what was compared before is so once more."""
    db.execute("DELETE FROM compared")


@cache()
def c020_numbers_of_plugins(db: Database) -> None:
    db.executescript("""
        CREATE TABLE plugin_numbers (
            content_hash BLOB NOT NULL,
            plugin TEXT NOT NULL,
            mark TEXT NOT NULL,              -- of the plugin's code and settings when it made them
            numbers TEXT NOT NULL,           -- JSON: value by name
            PRIMARY KEY (content_hash, plugin)
        ) WITHOUT ROWID;
    """)


@cache()
def c021_measures_beside_their_contents(db: Database) -> None:
    """The last column of a row lies behind its pictures: to read the measures of all photos was to read 20 KB of each."""
    db.execute("CREATE INDEX pictures_with_quality ON pictures(content_hash, quality)")


@cache()
def c022_what_pages_count(db: Database) -> None:
    """How many photos are rated, which triggers count, and how many a model takes to be of each class."""
    db.executescript("""
        CREATE TABLE rating_counts (voter_id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
        INSERT INTO rating_counts SELECT voter_id, count(*) FROM ratings GROUP BY voter_id;
        CREATE TABLE task_counts (
            task_id INTEGER NOT NULL,
            voter_id INTEGER NOT NULL,
            class_id INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (task_id, voter_id, class_id)
        ) WITHOUT ROWID;
        INSERT INTO task_counts SELECT task_id, voter_id, class_id, count(*) FROM task_scores GROUP BY 1, 2, 3;
        CREATE TRIGGER rating_counted AFTER INSERT ON ratings BEGIN
            INSERT INTO rating_counts VALUES (new.voter_id, 1) ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER rating_uncounted AFTER DELETE ON ratings BEGIN
            UPDATE rating_counts SET count = count - 1 WHERE voter_id = old.voter_id;
        END;
    """)


@cache()
def c023_names_in_their_places(db: Database) -> None:
    """In which cluster most members of each name are: to find that anew for a page took longer than all else on it."""
    db.executescript("""
        CREATE TABLE placed_names (          -- made anew by clusters.place_names
            named_id INTEGER PRIMARY KEY,
            cluster INTEGER NOT NULL,
            members INTEGER NOT NULL
        );
    """)


@cache()
def c024_groups_with_their_photos(db: Database) -> None:
    """Which photos are in a group, by the index alone: those of a part of the library are looked for among all of a kind."""
    db.executescript("""
        DROP INDEX group_members_by_group;
        CREATE INDEX group_members_by_group ON group_members(kind, group_id, photo_id);
    """)


@cache()
def c025_representatives_in_their_order(db: Database) -> None:
    """A number from 1 where there was a mark: all of those marked stay the first until the next grouping."""
    db.execute("DROP INDEX representatives")
    db.execute("CREATE INDEX representatives ON clusters(representative) WHERE representative > 0")
