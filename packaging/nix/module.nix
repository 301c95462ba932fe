# UNTESTED: nix-instantiate parses this file; it was never evaluated on a host. The Debian packages
# (packaging/build-deb) are what the tests install.
#
# imports = [ ./module.nix ];
# services.postern = { enable = true; gate.enable = true; settings.gate.url = "https://auth.example.com/"; };
#
# It changes no PAM service: security.pam.services.NAME.text has the lines of pam_totp(8).
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.postern;
  toml = pkgs.formats.toml { };
in
{
  options.services.postern = {
    enable = lib.mkEnableOption "posternd and the command postern";
    gate.enable = lib.mkEnableOption "postern-gate, the forward-auth gate for web applications";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package with the command, the daemons and the module.";
    };
    settings = lib.mkOption {
      type = toml.type;
      default = { };
      description = "Contents of /etc/postern/postern.toml, see postern.toml(5). It must contain no secret.";
    };
    module = lib.mkOption {
      type = lib.types.str;
      readOnly = true;
      default = "${cfg.package}/lib/security/pam_totp.so";
      defaultText = lib.literalMD "the path of pam_totp.so";
      description = "Path of the PAM module, for security.pam.services.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc."postern/postern.toml".source = toml.generate "postern.toml" cfg.settings;

    users.groups = {
      postern = { };
      postern-proxy = { };
      postern-mail = { };
    };
    users.users = {
      posternd = {
        isSystemUser = true;
        group = "postern";
      };
      postern-gate = {
        isSystemUser = true;
        group = "postern";
        extraGroups = [ "postern-proxy" ];
      };
      postern-mail = {
        isSystemUser = true;
        group = "postern-mail";
      };
    };

    systemd.tmpfiles.rules = [ "d /run/postern 0755 root root -" ];
    # The module runs the helper by this path where no daemon listens.
    systemd.tmpfiles.settings.postern."/usr/libexec/postern"."L+".argument = "${cfg.package}/libexec/postern";

    systemd.packages = [ cfg.package ];
    # NixOS ignores the section [Install] of the units of a package
    systemd.sockets.posternd.wantedBy = [ "sockets.target" ];
    systemd.sockets.posternd-pam.wantedBy = [ "sockets.target" ];
    systemd.sockets.postern-mail.wantedBy = [ "sockets.target" ];
    systemd.services.posternd.wantedBy = [ "multi-user.target" ];
    systemd.paths.postern-config.wantedBy = [ "multi-user.target" ];
    systemd.sockets.postern-gate.wantedBy = lib.mkIf cfg.gate.enable [ "sockets.target" ];
    systemd.services.postern-gate.wantedBy = lib.mkIf cfg.gate.enable [ "multi-user.target" ];
  };
}
