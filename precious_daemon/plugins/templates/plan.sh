#!/bin/sh
# sh PLAN [check|move|back] [FOLDER]
#   check  looks whether every file is byte for byte what it was; moves nothing (this is what happens without a word)
#   move   moves what is, all files of a photo or none, into a folder of its own at the top of FOLDER
#   back   moves it back to where it was
# Nothing is deleted, and nothing is written over.
# shellcheck disable=SC2016  # names of files are no variables, whatever is in them
set -u
LC_ALL=C
export LC_ALL
umask 077

action=${1:-check}
root=${2:-@ROOT@}
into=@INTO@
good=0
bad=0

fail() {
    printf '%s\n' "$1" >&2
    exit 2
}

case $action in check | move | back) ;; *) fail "usage: sh $0 [check|move|back] [FOLDER]" ;; esac
CDPATH='' cd -- "$root" || fail "$root is not there: say where the photos are, as in: sh $0 $action /volume1/photos"
here=$(pwd -P)
[ ! -L "$into" ] || fail "$into is a link: nothing was done"

if command -v sha256sum >/dev/null 2>&1; then
    sum() { sha256sum <"$1" | cut -c 1-64; }
elif command -v shasum >/dev/null 2>&1; then
    sum() { shasum -a 256 <"$1" | cut -c 1-64; }
elif command -v sha256 >/dev/null 2>&1; then
    sum() { sha256 -q <"$1"; }
elif command -v openssl >/dev/null 2>&1; then
    sum() { openssl dgst -sha256 -r <"$1" | cut -c 1-64; }
else
    fail "this needs sha256sum, shasum, sha256 or openssl"
fi

# A path that is certainly no option and is below the folder; keepers may lie elsewhere, with their whole path.
place() { case $1 in /*) at=$1 ;; *) at=./$1 ;; esac; }

# The file itself: no link, and in a folder that no link leads out of.
is_there() {
    place "$1"
    if [ ! -f "$at" ] || [ -L "$at" ]; then
        why="$1 is not there"
        return 1
    fi
    case $1 in
    /*) ;;
    *)
        case $(CDPATH='' cd -P -- "${at%/*}" 2>/dev/null && pwd -P)/ in
        "$here"/*) ;;
        *) why="$1 is in a folder that leads elsewhere"; return 1 ;;
        esac
        ;;
    esac
    [ "$(sum "$at")" = "$2" ] || { why="$1 is not what it was"; return 1; }
}

all_there() {
    while [ $# -gt 1 ]; do
        is_there "$1" "$2" || return 1
        shift 2
    done
}

# Into a folder that was made just now, where there is nothing to be written over; what was moved is looked at once more.
carry() {
    while [ $# -gt 1 ]; do
        place "$1"
        target=./$into/$number/$1
        why="$1 could not be moved"
        mkdir -p -- "${target%/*}" || return 1
        mv -- "$at" "$target" || return 1
        why=
        [ "$(sum "$target")" = "$2" ] || { why="$1 was changed meanwhile"; return 1; }
        shift 2
    done
}

carry_back() {
    whole=0
    while [ $# -gt 1 ]; do
        place "$1"
        target=./$into/$number/$1
        if [ -f "$target" ]; then
            if [ -e "$at" ] || [ -L "$at" ]; then
                why="the place of $1 is taken"
                whole=1
            else
                mkdir -p -- "${at%/*}"
                mv -- "$target" "$at"
                [ -f "$at" ] || { why="$1 could not be moved back"; whole=1; }
            fi
        fi
        shift 2
    done
    return "$whole"
}

# unit NUMBER WORDS KEEPER ITS_SUM [FILE ITS_SUM]...
unit() {
    number=$1
    about=$2
    keeper=$3
    keeper_sum=$4
    shift 4
    why=
    case $action in
    back)
        [ -d "$into/$number" ] || return 0
        carry_back "$@"
        ;;
    *)
        { [ -z "$keeper" ] || is_there "$keeper" "$keeper_sum"; } && all_there "$@" && {
            [ "$action" = check ] || move_all "$@"
        }
        ;;
    esac
    if [ -z "$why" ]; then
        good=$((good + 1))
        printf '%s  %s\n' "$number" "$about"
    else
        bad=$((bad + 1))
        printf '%s  LEFT: %s\n' "$number" "$why"
    fi
}

move_all() {
    why="$into/$number is there already, or cannot be made"
    mkdir -p -- "$into" || return 1
    mkdir -- "$into/$number" || return 1
    why=
    carry "$@" || {
        first=$why
        carry_back "$@"
        why=$first
    }
}

@UNITS@

case $action in
check) printf '%s can be moved, %s are not what they were. Nothing was moved.\n' "$good" "$bad" ;;
move) printf '%s were moved into %s, %s were left.\n' "$good" "$here/$into" "$bad" ;;
back) printf '%s were moved back, %s were left.\n' "$good" "$bad" ;;
esac
[ "$bad" -eq 0 ]
