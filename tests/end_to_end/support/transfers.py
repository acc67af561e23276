"""Command lines of clients that move files."""


def lftp_command(server, *commands, retries=2):
    """lftp types the password at ssh's prompt: see lftp_environment()."""
    settings = (f"set cmd:fail-exit yes; set sftp:auto-confirm yes; set net:max-retries {retries}; "
                "set net:timeout 20; set sftp:connect-program \"ssh -a -x -F none "
                f"-o UserKnownHostsFile={server.known_hosts} -o LogLevel=ERROR\"; "
                f"open -u {server.user},{server.password} sftp://{server.host}:{server.port}; ")
    return ["lftp", "-c", settings + "; ".join(commands)]


def lftp_environment(server):
    environment = server.environment()
    del environment["SSH_ASKPASS"], environment["SSH_ASKPASS_REQUIRE"]
    return environment


def curl_command(server, path, *arguments):
    return ["curl", "-sS", "-k", "-u", f"{server.user}:{server.password}", *arguments,
            f"sftp://{server.host}:{server.port}{path}"]


def sftp_command(server, batch, *options):
    """`batch`: a file with commands."""
    return ["sftp", *options, *server.ssh_options(), "-P", str(server.port), "-b", batch,
            server.spec()]


def rclone_environment(server, obscured_password):
    """With a remote `box:`, and nothing that is tried twice."""
    return server.environment() | {
        "RCLONE_CONFIG": str(server.home_of_clients / "rclone.conf"),
        "RCLONE_CONFIG_BOX_TYPE": "sftp", "RCLONE_CONFIG_BOX_HOST": server.host,
        "RCLONE_CONFIG_BOX_PORT": str(server.port), "RCLONE_CONFIG_BOX_USER": server.user,
        "RCLONE_CONFIG_BOX_PASS": obscured_password, "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1"}
