-- Exchanges that are under way are few; what is done stays for the audit.
CREATE INDEX ffxs_issue_pending ON ffxs_issue (root) WHERE state = 'pending';
