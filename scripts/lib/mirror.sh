# SPDX-License-Identifier: GPL-2.0
# What the Debian mirror has. The mirror is the one this machine uses already; the suites that the
# project needs are looked at through an apt of our own, so that the machine's apt settings
# stay as they are and no root is needed.

# How long an answer of the mirror is good.
mirror_days=7

# Lines "label uri" of the Debian archives among the machine's apt sources. apt itself reads its files
# (either format); Origin leaves out third parties.
debian_archives()
{
	apt-get indextargets --format "\$(LABEL)|\$(REPO_URI)" \
		"Created-By: Packages" "Origin: Debian" "Component: main" | sort -u
}

# The sources.list for the suites of the project.
project_sources()
{
	local archives base security

	archives=$(debian_archives)
	if [ -z "$archives" ] && [ "$EUID" = 0 ]; then
		# Without its lists apt does not know who is behind a source.
		apt-get update -q >"$logs/mirror.log" 2>&1 || true
		archives=$(debian_archives)
	fi
	base=$(sed -n 's/^Debian|//p' <<<"$archives" | head -n 1)
	security=$(sed -n 's/^Debian-Security|//p' <<<"$archives" | head -n 1)
	[ -n "$base" ] || die "no Debian mirror in the machine's apt sources (has 'apt-get update' been run?)"

	printf "deb $base %s main\ndeb-src $base %s main\n" "$suite"{,} "$suite-updates"{,} "$suite-backports"{,}
	printf "deb $base %s main\n" "$older_suite"
	[ -z "$security" ] || {
		printf "deb $security %s main\ndeb-src $security %s main\n" "$suite-security"{,}
		printf "deb $security %s main\n" "$older_suite-security"
	}
}

# apt-get and apt-cache that see only those suites.
project_apt()
{
	local tool=$1 apt=$cache/apt
	shift

	"$tool" -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User=root -o APT::Architectures=amd64 \
		-o APT::Update::Post-Invoke=/bin/true -o APT::Update::Post-Invoke-Success=/bin/true \
		-o Acquire::Languages=none "$@"
}

# The file whose age is that of the last answer to what is asked today.
mirror_stamp()
{
	echo "$cache/apt/asked-$(key_of "$(declare -f project_sources)")"
}

# Asks the mirror again when the last answer is too old. A mirror that does not answer is no
# reason to stop as long as there is an old answer.
look_at_mirror()
{
	local apt=$cache/apt asked lock sources
	asked=$(mirror_stamp)
	[ -n "$(find "$asked" -mtime "-$mirror_days" 2>/dev/null)" ] && return

	exec {lock}>"$cache/lock/apt"
	flock "$lock"
	if [ -z "$(find "$asked" -mtime "-$mirror_days" 2>/dev/null)" ]; then
		say "mirror: looking up versions in $suite and $suite-backports"
		mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
		: >"$apt/status"
		sources=$(project_sources)
		printf '%s\n' "$sources" >"$apt/sources.list"
		if project_apt apt-get update -q --error-on=any >"$logs/mirror.log" 2>&1; then
			touch "$asked"
		elif [ -e "$asked" ]; then
			say "mirror: no answer; going on with what it had before"
		else
			tail -n 20 "$logs/mirror.log" >&2
			die "the Debian mirror does not answer"
		fi
	fi
	exec {lock}>&-
}

# "name=version" of each package as the mirror had it when it was looked at.
mirror_versions()
{
	project_apt apt-cache policy "$@" |
		awk '/^[^ ]/ { name = $1; sub(/:$/, "", name) } $1 == "Candidate:" { print name "=" $2 }'
}

# The newest stock kernel's release, such as 7.3.4+deb13-amd64.
newest_kernel()
{
	project_apt apt-cache pkgnames linux-image- |
		sed -nE "s/^linux-image-//; /^${kernel_pattern#linux-image-}$/p" | sort -V | tail -n 1
}

# download FOLDER PACKAGE...: the .deb files. A package that is gone has been replaced by a newer one.
download()
{
	local folder=$1
	shift
	if ! (cd "$folder" && project_apt apt-get download -q "$@"); then
		rm -f "$(mirror_stamp)"
		echo "The mirror's packages may have changed since it was last asked; run the command again."
		return 1
	fi
}

# download_source FOLDER PACKAGE VERSION: the files of a source package.
download_source()
{
	if ! (cd "$1" && project_apt apt-get source -q --download-only "$2=$3"); then
		rm -f "$(mirror_stamp)"
		echo "The mirror does not have the source of $2 $3, which is what is installed here. Either it was last asked" \
			"before that version came, then run the command again; or the package has to be upgraded."
		return 1
	fi
}
